"""Who may act for a job: the run that holds its lease, known by its fencing token.

Every claim raises the job's `run_token`. What a run writes, it writes after `lock_run` in the same
transaction: a run that was given up while it slept finds another token, or another state, and can
write nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.jobs.clock import database_now
from app.jobs.errors import RunLost
from app.jobs.states import ACTIVE, JobState


@dataclass(frozen=True)
class Run:
    """One claim of a job by one worker; `dataset_id` is None for a job of the whole service."""

    job_id: str
    run_token: int
    kind: str
    dataset_id: int | None
    arguments: dict[str, Any]


def lock_run(session: Session, run: Run, *, states: Collection[JobState] = ACTIVE) -> Job:
    """The run's job, its row held until the transaction ends.

    Raises:
        RunLost: the job has another token or is in none of these states.
    """
    job = session.scalar(
        select(Job)
        .where(Job.id == run.job_id, Job.run_token == run.run_token, Job.state.in_(states))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise RunLost(f"run {run.run_token} no longer holds job {run.job_id}")
    return job


def renew_lease(session: Session, run: Run, lease_s: float) -> None:
    """Keep the job for another `lease_s` seconds from now.

    Raises:
        RunLost: it is too late.
    """
    job = lock_run(session, run)
    job.lease_until = database_now(session) + timedelta(seconds=lease_s)


def state_of(session: Session, run: Run) -> JobState | None:
    """The job's state as far as this run is concerned; None once another run or nobody has it."""
    state = session.scalar(
        select(Job.state).where(Job.id == run.job_id, Job.run_token == run.run_token)
    )
    return None if state is None else JobState(state)
