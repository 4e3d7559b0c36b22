"""How the queue of jobs stands, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.domain import prediction_jobs, retention, training_jobs
from app.jobs.clock import database_now
from app.jobs.states import ACTIVE, JobState

KINDS = (training_jobs.KIND, prediction_jobs.KIND, retention.KIND)


@dataclass(frozen=True)
class JobFigures:
    """Of one kind of jobs.

    Attributes:
        by_state: how many there are.
        overdue: of those that run: whose worker has been silent for longer than its lease.
        losses: how often one of them has lost its worker.
        oldest_waiting_s: for how long the oldest queued job could have been run; 0 if none waits.
    """

    kind: str
    by_state: dict[JobState, int]
    overdue: int
    losses: int
    oldest_waiting_s: float


def job_figures(session: Session) -> list[JobFigures]:
    """The figures of each kind, also of kinds that have no jobs."""
    now = database_now(session)
    is_overdue = Job.state.in_(ACTIVE) & (Job.lease_until < now)
    waiting_since = case((Job.state == JobState.QUEUED, Job.run_at))
    rows = session.execute(
        select(
            Job.kind,
            Job.state,
            func.count(),
            func.sum(case((is_overdue, 1), else_=0)),
            func.sum(Job.losses),
            func.min(waiting_since),
        ).group_by(Job.kind, Job.state)
    ).all()
    kinds = dict.fromkeys([*KINDS, *(row[0] for row in rows)])
    return [_figures(kind, [row[1:] for row in rows if row[0] == kind], now) for kind in kinds]


def _figures(
    kind: str, rows: list[tuple[str, int, int, int, datetime | None]], now: datetime
) -> JobFigures:
    counted = {state: count for state, count, *_ in rows}
    waits = [(now - since).total_seconds() for *_, since in rows if since is not None]
    return JobFigures(
        kind=kind,
        by_state={state: counted.get(state, 0) for state in JobState},
        overdue=sum(int(row[2]) for row in rows),
        losses=sum(int(row[3]) for row in rows),
        oldest_waiting_s=max([0.0, *waits]),
    )
