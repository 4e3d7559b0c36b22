"""Take the next job from the queue, as far as the limits of running jobs allow.

On PostgreSQL claims take turns (an advisory lock), because a limit of running jobs can only be kept
by looking at all of them; rows that others hold are skipped. On SQLite the transaction holds the
only write lock (`BEGIN IMMEDIATE`). Look with `is_waiting` first: it locks nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select, text
from sqlalchemy.orm import Session, aliased

from app.db.tables import Job
from app.jobs.clock import database_now
from app.jobs.events import move
from app.jobs.lease import Run
from app.jobs.states import ACTIVE, JobState

_CLAIM_LOCK = 0x55_4D_54_4C  # any number that nobody else uses for an advisory lock


@dataclass(frozen=True)
class Limits:
    """How many jobs may run at a time, whatever their kinds.

    Attributes:
        running: of all; None: as many as there are workers.
        running_per_dataset: of one dataset; jobs of the whole service have no such limit.
    """

    running: int | None = None
    running_per_dataset: int = 1


_ONE_PER_DATASET = Limits()


def is_waiting(session: Session, kinds: Collection[str], limits: Limits = _ONE_PER_DATASET) -> bool:
    """Whether there is a job to claim."""
    return session.scalar(_next_job(database_now(session), kinds, limits)) is not None


def claim(
    session: Session,
    *,
    worker: str,
    kinds: Collection[str],
    lease_s: float,
    limits: Limits = _ONE_PER_DATASET,
) -> Run | None:
    """Make the next job of these kinds `running` and ours for `lease_s` seconds, if there is one.

    The job with the highest priority comes first, then the one that has waited longest; where a
    limit is reached, the next one that none of them holds back.
    """
    _take_turn(session, lease_s)
    now = database_now(session)
    query = _next_job(now, kinds, limits)
    job = session.scalar(query.with_for_update(of=Job, key_share=True, skip_locked=True))
    if job is None:
        return None
    job.run_token += 1
    job.attempt += 1
    job.worker = worker
    job.lease_until = now + timedelta(seconds=lease_s)
    job.started_at = job.started_at or now
    job.progress = {}
    move(session, job, JobState.RUNNING)
    return Run(job.id, job.run_token, job.kind, job.dataset_id, job.arguments)


def _next_job(now: datetime, kinds: Collection[str], limits: Limits) -> Select[Job]:
    return (
        select(Job)
        .where(
            Job.state == JobState.QUEUED,
            Job.run_at <= now,
            Job.kind.in_(kinds),
            *_within(limits),
        )
        .order_by(Job.priority.desc(), Job.run_at, Job.id)
        .limit(1)
    )


def _within(limits: Limits) -> list[ColumnElement[bool]]:
    other = aliased(Job)
    running = select(func.count()).select_from(other).where(other.state.in_(ACTIVE))
    of_dataset = running.where(other.dataset_id == Job.dataset_id).correlate(Job)
    conditions = [of_dataset.scalar_subquery() < limits.running_per_dataset]
    if limits.running is not None:
        conditions.append(running.scalar_subquery() < limits.running)
    return conditions


def _take_turn(session: Session, lease_s: float) -> None:
    if session.get_bind().dialect.name != "postgresql":
        return
    # A worker that is stopped in the middle of its claim must not keep the others from theirs.
    timeout = f"SET LOCAL idle_in_transaction_session_timeout = {max(1, int(lease_s * 1000))}"
    session.execute(text(timeout))
    session.execute(select(func.pg_advisory_xact_lock(_CLAIM_LOCK)))
