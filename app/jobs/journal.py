"""What a run tells while it goes: progress and log lines, fenced like all of its writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.events import record
from app.jobs.lease import Run, lock_run
from app.jobs.states import ACTIVE, TERMINAL


def write_progress(session: Session, run: Run, progress: dict[str, Any]) -> None:
    """Show how far the run has come.

    Raises:
        RunLost: another run has the job, or it has ended.
    """
    job = lock_run(session, run)
    job.progress = progress
    record(session, run.job_id, "progress", progress)


def write_log(session: Session, run: Run, lines: Sequence[tuple[datetime, dict[str, Any]]]) -> None:
    """Append log lines, each with when it was said; the last may come just after the job's end.

    Raises:
        RunLost: another run has the job.
    """
    lock_run(session, run, states=ACTIVE | TERMINAL)
    for said_at, line in lines:
        record(session, run.job_id, "log", line, at=said_at)
