"""What happened to a job, in order: its states, its progress and its log lines.

Whoever writes an event holds the job's row (`app.jobs.lease.lock_run` or an update of the row), so
that within one job the ids grow in the order of the commits and a reader that remembers the last id
misses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Job, JobEvent
from app.db.types import utc_now
from app.jobs.states import JobState, check_transition

EventKind = Literal["state", "progress", "log"]


def record(
    session: Session,
    job_id: str,
    kind: EventKind,
    data: dict[str, Any],
    at: datetime | None = None,
) -> None:
    """Append an event; the caller holds the job's row."""
    session.add(JobEvent(job_id=job_id, kind=kind, data=data, created_at=at or utc_now()))


def move(session: Session, job: Job, to: JobState) -> None:
    """Bring a job, whose row the caller holds, into another state and record it.

    Raises:
        ImpossibleTransition: the state machine has no such arrow.
    """
    check_transition(job.id, JobState(job.state), to)
    job.state = to
    record(session, job.id, "state", state_data(job))


def state_data(job: Job) -> dict[str, Any]:
    """What a state event says: the state, and how the job ended once it did."""
    data: dict[str, Any] = {"state": job.state}
    if job.result is not None:
        data["result"] = job.result
    if job.error_code is not None:
        data["error"] = {"code": job.error_code, "message": job.error_message}
    return data


def events_after(
    session: Session, job_id: str, event_id: int, *, limit: int = 500
) -> Sequence[JobEvent]:
    """The job's next events after this id (0: from the start), oldest first."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > event_id)
    return session.scalars(query.order_by(JobEvent.id).limit(limit)).all()
