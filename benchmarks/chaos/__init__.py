"""Real workers on a real database, killed, stopped, woken and cut off from it.

databases    a fresh SQLite file, or a PostgreSQL server that can be taken away
ground       the processes: started, killed by their ids, looked for at the end
shop         small datasets and small trainings, over HTTP
history      what the database says has happened
handlers     light jobs for what needs no training; run by `python -m benchmarks.chaos.worker`
scenarios/   one question each
"""
