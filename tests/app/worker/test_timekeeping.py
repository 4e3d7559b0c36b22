from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Job, Schedule
from app.domain.schedules import Rule, put_schedule
from app.domain.training_jobs import TrainingRequest
from app.jobs.submit import NewJob, submit
from app.settings import Settings
from app.worker.loop import run_worker
from model.config import Config
from tests.app.declared_shop import declare_shop
from tests.app.worker.workplace import eventually

Sessions = sessionmaker[Session]


@pytest.fixture
def shop(session_factory: Sessions) -> Dataset:
    with transaction(session_factory) as session:
        return declare_shop(session)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Start a worker that looks at the clock often; all end with the test."""
    hasty = settings.model_copy(update={"schedule_check_s": 0.05, "poll_s": 0.05})
    stopping, threads = threading.Event(), list[threading.Thread]()

    def start_one(handlers: Mapping[str, str]) -> None:
        thread = threading.Thread(
            target=run_worker, args=(hasty, stopping), kwargs={"handlers": handlers}
        )
        thread.start()
        threads.append(thread)

    yield start_one
    stopping.set()
    for thread in threads:
        thread.join()


def put_due(sessions: Sessions, shop: Dataset) -> None:
    rule = Rule(None, None, 1, TrainingRequest(None, 0, Config()), enabled=True)
    with transaction(sessions) as session:
        put_schedule(session, shop, "counting", rule)


def fired(sessions: Sessions) -> str:
    def look() -> str | None:
        with transaction(sessions, write=False) as session:
            return session.scalar(select(Schedule.last_job_id))

    return eventually(look, "the schedule has made its job")


def trainings(sessions: Sessions) -> list[str]:
    with transaction(sessions, write=False) as session:
        return list(session.scalars(select(Job.id).where(Job.kind == "training")))


def test_workers_make_the_job_of_a_due_schedule_once(
    session_factory: Sessions, shop: Dataset, start: Callable[[Mapping[str, str]], None]
) -> None:
    for _ in range(3):
        start({})
    put_due(session_factory, shop)
    job_id = fired(session_factory)
    assert trainings(session_factory) == [job_id]


def test_a_busy_worker_still_looks_at_the_clock(
    session_factory: Sessions,
    settings: Settings,
    shop: Dataset,
    start: Callable[[Mapping[str, str]], None],
) -> None:
    with transaction(session_factory) as session:
        submit(session, NewJob("ignore_stop", None, arguments={}))
    start({"ignore_stop": "tests.app.worker.fake_handlers:ignore_stop"})
    sign = settings.data_dir / "signs" / "started-1"
    eventually(sign.exists, "the worker is busy")
    put_due(session_factory, shop)
    job_id = fired(session_factory)
    assert trainings(session_factory) == [job_id]
