from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job, Schedule
from app.domain.schedules import Rule, put_schedule
from app.domain.training_jobs import TrainingRequest
from app.settings import Settings
from app.worker.loop import run_worker
from model.config import Config
from tests.app.declared_shop import declare_shop
from tests.app.worker.workplace import eventually

Sessions = sessionmaker[Session]


@pytest.fixture
def schedule(session_factory: Sessions) -> None:
    rule = Rule(None, None, 1, TrainingRequest(None, 0, Config()), enabled=True)
    with transaction(session_factory) as session:
        put_schedule(session, declare_shop(session), "counting", rule)


@pytest.fixture
def workers(settings: Settings, schedule: None) -> Iterator[None]:
    """Several at once, that run no training themselves."""
    hasty = settings.model_copy(update={"schedule_check_s": 0.05, "poll_s": 0.05})
    stopping = threading.Event()
    threads = [
        threading.Thread(target=run_worker, args=(hasty, stopping), kwargs={"handlers": {}})
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    yield
    stopping.set()
    for thread in threads:
        thread.join()


def test_workers_make_the_job_of_a_due_schedule_once(
    workers: None, session_factory: Sessions
) -> None:
    def look() -> str | None:
        with transaction(session_factory, write=False) as session:
            return session.scalar(select(Schedule.last_job_id))

    job_id = eventually(look, "the schedule has made its job")
    with transaction(session_factory, write=False) as session:
        assert session.scalars(select(Job.id)).all() == [job_id]
