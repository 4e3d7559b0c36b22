"""A dataset to hang jobs on, and short ways to say what a test is about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Job
from app.jobs.claim import Limits, claim
from app.jobs.clock import database_now
from app.jobs.lease import Run
from app.jobs.submit import NewJob, submit

Sessions = sessionmaker[Session]

LEASE_S = 30.0
ONE_PER_DATASET = Limits()


@pytest.fixture
def dataset_id(session_factory: Sessions) -> int:
    return add_dataset(session_factory, "shop")


@pytest.fixture
def submitted(session_factory: Sessions, dataset_id: int) -> str:
    return submit_one(session_factory, dataset_id)


@pytest.fixture
def run(session_factory: Sessions, submitted: str) -> Run:
    claimed = claim_one(session_factory)
    assert claimed is not None
    return claimed


@pytest.fixture
def job_now(session_factory: Sessions, submitted: str) -> Callable[[], Job]:
    """Read the submitted job again."""

    def read() -> Job:
        with transaction(session_factory, write=False) as session:
            return session.get_one(Job, submitted)

    return read


def add_dataset(sessions: Sessions, name: str) -> int:
    with transaction(sessions) as session:
        dataset = Dataset(name=name, time_zone="UTC", mapping={})
        session.add(dataset)
        session.flush()
        return dataset.id


def submit_one(sessions: Sessions, dataset_id: int, *, priority: int = 0) -> str:
    new = NewJob("test", dataset_id, arguments={"n": 1}, priority=priority)
    with transaction(sessions) as session:
        return submit(session, new).id


def claim_one(
    sessions: Sessions, worker: str = "worker-1", limits: Limits = ONE_PER_DATASET
) -> Run | None:
    with transaction(sessions) as session:
        return claim(session, worker=worker, kinds=["test"], lease_s=LEASE_S, limits=limits)


def let_lease_run_out(sessions: Sessions, job_id: str) -> None:
    """What the passing of time would do."""
    with transaction(sessions) as session:
        job = session.get_one(Job, job_id)
        job.lease_until = database_now(session) - timedelta(seconds=1)
