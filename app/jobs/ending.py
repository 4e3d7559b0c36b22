"""How a run ends, and what becomes of its job.

However a run ends, its job is `cancelled` if that had been asked for. A failure of the job's own
making is told apart from the loss of its worker; the `MAX_LOSSES`th loss is the end too, since it
may be the job that kills its workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.jobs.clock import database_now
from app.jobs.errors import CancelRequested
from app.jobs.events import move
from app.jobs.lease import Run, lock_run
from app.jobs.states import ACTIVE, JobState

MAX_LOSSES = 3


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Attributes:
        code: stable, for programs.
        message: for people; says what to do.
        is_transient: another attempt may go well, e.g. the database was away.
    """

    code: str
    message: str
    is_transient: bool = False


def finish(session: Session, run: Run, result: dict[str, Any]) -> None:
    """The run succeeded; whatever else the caller's transaction writes is stored with that.

    Call it last: the job's row stays held until the transaction ends.

    Raises:
        RunLost: another run has the job.
        CancelRequested: somebody asked for a cancel first.
    """
    job = lock_run(session, run)
    if job.state == JobState.CANCELLING:
        raise CancelRequested(f"job {run.job_id} was cancelled before its result was stored")
    job.result = result
    job.progress = {**job.progress, "stage": "done", "fraction": 1.0}
    _close(job, database_now(session))
    move(session, job, JobState.SUCCEEDED)


def fail(session: Session, run: Run, failure: Failure) -> None:
    """The job failed, or is tried again if that may help and attempts are left.

    Raises:
        RunLost: another run has the job.
    """
    job = lock_run(session, run)
    now = database_now(session)
    if job.state == JobState.CANCELLING:
        _cancelled(session, job, now)
    elif failure.is_transient and job.attempt < job.max_attempts:
        job.run_at = now + timedelta(seconds=2**job.attempt)
        _requeue(session, job)
    else:
        _failed(session, job, now, failure)


def release(session: Session, run: Run) -> None:
    """The worker hands the job back, e.g. because it is being stopped; nothing is counted.

    Raises:
        RunLost: another run has the job.
    """
    job = lock_run(session, run)
    if job.state == JobState.CANCELLING:
        _cancelled(session, job, database_now(session))
    else:
        job.attempt -= 1
        _requeue(session, job)


def lose(session: Session, run: Run) -> None:
    """The run's process died without a word.

    Raises:
        RunLost: another run has the job.
    """
    _lost(session, lock_run(session, run), database_now(session))


def has_overdue(session: Session) -> bool:
    """Whether some job's lease has run out."""
    query = select(Job.id).where(Job.state.in_(ACTIVE), Job.lease_until < database_now(session))
    return session.scalar(query.limit(1)) is not None


def take_back_overdue(session: Session) -> list[Job]:
    """Take all jobs whose lease has run out from their workers; returns what became of them."""
    now = database_now(session)
    overdue = session.scalars(
        select(Job)
        .where(Job.state.in_(ACTIVE), Job.lease_until < now)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for job in overdue:
        _lost(session, job, now)
    return list(overdue)


def _lost(session: Session, job: Job, now: datetime) -> None:
    if job.state == JobState.CANCELLING:
        _cancelled(session, job, now)
        return
    job.losses += 1
    job.attempt -= 1
    if job.losses >= MAX_LOSSES:
        message = (
            f"the job lost its worker {job.losses} times, so it may be the job that kills it: "
            "give the worker more memory, or train with fewer tasks or less data"
        )
        _failed(session, job, now, Failure("worker_lost", message))
    else:
        _requeue(session, job)


def _requeue(session: Session, job: Job) -> None:
    job.worker = None
    job.lease_until = None
    move(session, job, JobState.QUEUED)


def _failed(session: Session, job: Job, now: datetime, failure: Failure) -> None:
    job.error_code, job.error_message = failure.code, failure.message
    _close(job, now)
    move(session, job, JobState.FAILED)


def _cancelled(session: Session, job: Job, now: datetime) -> None:
    _close(job, now)
    move(session, job, JobState.CANCELLED)


def _close(job: Job, now: datetime) -> None:
    job.lease_until = None
    job.checkpoint = None
    job.finished_at = now
