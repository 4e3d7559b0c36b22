"""Jobs whose workers have fallen silent go back to the queue."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.jobs.ending import has_overdue, take_back_overdue
from app.jobs.states import TERMINAL
from app.settings import Settings
from app.worker.job_checkpoints import remove_checkpoints

log = structlog.get_logger(__name__)


def take_back(sessions: sessionmaker[Session], settings: Settings) -> None:
    """Take back every job whose lease has run out; a look that finds none locks nothing."""
    with transaction(sessions, write=False) as session:
        if not has_overdue(session):
            return
    with transaction(sessions) as session:
        jobs = take_back_overdue(session)
    for job in jobs:
        log.warning("took a job back from a silent worker", job=job.id, state=job.state)
        if job.state in TERMINAL:
            remove_checkpoints(settings, job)
