"""The life cycle of background work, over the `job` table.

    submit -> claim -> renew_lease, write_progress, write_log -> finish | fail | release | lose

The states are drawn in `app.jobs.states`. No function here commits: the transaction is the
caller's, and on SQLite it must have begun as a writing one (`app.db.engine.transaction`).
"""
