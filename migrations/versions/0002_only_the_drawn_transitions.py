"""Jobs know where their checkpoints are, and move along the drawn transitions alone.

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As `app.jobs.states` draws them: nobody gets around them, whoever writes the row.
_DRAWN = """
    (OLD.state = 'queued' AND NEW.state IN ('running', 'cancelled'))
    OR (OLD.state = 'running' AND NEW.state IN ('queued', 'cancelling', 'succeeded', 'failed'))
    OR (OLD.state = 'cancelling' AND NEW.state = 'cancelled')
"""


def upgrade() -> None:
    op.add_column("job", sa.Column("checkpoint", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"""
            CREATE FUNCTION job_check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NOT ({_DRAWN}) THEN
                    RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.state, NEW.state
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            END $$
        """)
        op.execute("""
            CREATE TRIGGER job_transition BEFORE UPDATE OF state ON job FOR EACH ROW
            WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION job_check_transition()
        """)
    else:
        op.execute(f"""
            CREATE TRIGGER job_transition BEFORE UPDATE OF state ON job FOR EACH ROW
            WHEN OLD.state IS NOT NEW.state AND NOT ({_DRAWN})
            BEGIN
                SELECT RAISE(ABORT, 'a job cannot go from this state to that');
            END
        """)  # noqa: S608 (our own text)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER job_transition ON job")
        op.execute("DROP FUNCTION job_check_transition")
    else:
        op.execute("DROP TRIGGER job_transition")
    op.drop_column("job", "checkpoint")
