from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Job, Schedule, TaskRow
from app.domain.firing import due_schedules, fire, new_events
from app.domain.schedules import Rule, enable_schedule, put_schedule
from app.domain.training_jobs import TrainingRequest, submit_training
from app.jobs.cancel import cancel
from app.jobs.clock import database_now
from model.config import Config
from tests.app.declared_shop import add_events, declare_shop

Sessions = sessionmaker[Session]

REQUEST = TrainingRequest(None, 7, Config(max_epochs=2))
DAILY = Rule("0 3 * * *", None, None, REQUEST, enabled=True)
AFTER_500 = Rule(None, None, 500, REQUEST, enabled=True)


@pytest.fixture
def shop(session_factory: Sessions) -> Dataset:
    with transaction(session_factory) as session:
        return declare_shop(session)


def put(sessions: Sessions, shop: Dataset, rule: Rule, name: str = "nightly") -> int:
    with transaction(sessions) as session:
        return put_schedule(session, shop, name, rule)[0].id


def let_time_pass(sessions: Sessions, schedule_id: int, days: float) -> datetime:
    """As if the schedule had been due so long ago; returns when."""
    with transaction(sessions) as session:
        due_at = database_now(session) - timedelta(days=days)
        session.get_one(Schedule, schedule_id).next_run_at = due_at
        return due_at


def run_due(sessions: Sessions) -> list[Schedule]:
    """What one worker does in one turn."""
    with transaction(sessions, write=False) as session:
        due = due_schedules(session)
    fired = []
    for schedule_id in due:
        with transaction(sessions) as session:
            fired.append(fire(session, schedule_id))
    return [schedule for schedule in fired if schedule is not None]


def jobs(sessions: Sessions) -> list[Job]:
    with transaction(sessions, write=False) as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def end_jobs(sessions: Sessions) -> None:
    for job in jobs(sessions):
        with transaction(sessions) as session:
            cancel(session, job.id)


def test_nothing_is_made_before_it_is_due(session_factory: Sessions, shop: Dataset) -> None:
    put(session_factory, shop, DAILY)
    assert run_due(session_factory) == []
    assert jobs(session_factory) == []


def test_a_due_schedule_makes_the_job_it_was_told_to(
    session_factory: Sessions, shop: Dataset
) -> None:
    schedule_id = put(session_factory, shop, DAILY)
    let_time_pass(session_factory, schedule_id, days=0.01)
    (schedule,) = run_due(session_factory)
    (job,) = jobs(session_factory)
    assert (job.schedule, job.kind, job.dataset_id) == ("nightly", "training", shop.id)
    assert (job.arguments["seed"], job.arguments["config"]["max_epochs"]) == (7, 2)
    assert [task["name"] for task in job.arguments["tasks"]] == ["buys_30d", "spends_30d"]
    assert (schedule.last_job_id, schedule.last_error) == (job.id, None)
    assert schedule.last_run_at is not None
    assert schedule.next_run_at is not None
    assert schedule.last_run_at < schedule.next_run_at


def test_tasks_are_those_of_the_day(session_factory: Sessions, shop: Dataset) -> None:
    schedule_id = put(session_factory, shop, DAILY)
    with transaction(session_factory) as session:
        session.execute(delete(TaskRow).where(TaskRow.name == "buys_30d"))
    let_time_pass(session_factory, schedule_id, days=0.01)
    run_due(session_factory)
    (job,) = jobs(session_factory)
    assert [task["name"] for task in job.arguments["tasks"]] == ["spends_30d"]


def test_missed_runs_run_once(session_factory: Sessions, shop: Dataset) -> None:
    schedule_id = put(session_factory, shop, DAILY)
    let_time_pass(session_factory, schedule_id, days=10)
    assert len(run_due(session_factory)) == 1
    end_jobs(session_factory)
    assert run_due(session_factory) == []
    assert len(jobs(session_factory)) == 1


def test_no_second_job_while_the_last_one_is_open(session_factory: Sessions, shop: Dataset) -> None:
    schedule_id = put(session_factory, shop, DAILY)
    let_time_pass(session_factory, schedule_id, days=2)
    run_due(session_factory)
    let_time_pass(session_factory, schedule_id, days=1)
    assert run_due(session_factory) == []
    end_jobs(session_factory)
    assert len(run_due(session_factory)) == 1
    assert len(jobs(session_factory)) == 2


def test_workers_that_look_at_once_make_one_job(session_factory: Sessions, shop: Dataset) -> None:
    daily = put(session_factory, shop, DAILY)
    counting = put(session_factory, shop, AFTER_500, "counting")
    let_time_pass(session_factory, daily, days=1)
    ready = threading.Barrier(8)

    def fire_both(_: int) -> int:
        ready.wait()
        made = 0
        for schedule_id in (daily, counting):
            with transaction(session_factory) as session:
                made += fire(session, schedule_id) is not None
        return made

    with ThreadPoolExecutor(8) as pool:
        # The second schedule finds that all events have just been submitted for training.
        assert sum(pool.map(fire_both, range(8))) == 1
    assert [job.schedule for job in jobs(session_factory)] == ["nightly"]


def test_new_events_make_a_job_when_there_are_enough(
    session_factory: Sessions, shop: Dataset
) -> None:
    put(session_factory, shop, AFTER_500)
    assert len(run_due(session_factory)) == 1  # a thousand events, and no training yet
    end_jobs(session_factory)
    assert run_due(session_factory) == []
    for _ in range(2):
        assert run_due(session_factory) == []
        with transaction(session_factory) as session:
            add_events(session, session.get_one(Dataset, shop.id), rows=250)
    assert len(run_due(session_factory)) == 1
    assert len(jobs(session_factory)) == 2


def test_a_training_by_hand_starts_the_count_anew(session_factory: Sessions, shop: Dataset) -> None:
    put(session_factory, shop, AFTER_500)
    with transaction(session_factory) as session:
        assert new_events(session, shop.id) == 1000
        submit_training(session, shop, REQUEST)
        assert new_events(session, shop.id) == 0
    assert run_due(session_factory) == []


def test_what_hinders_a_job_is_kept_until_it_is_mended(
    session_factory: Sessions, shop: Dataset
) -> None:
    daily = put(session_factory, shop, DAILY)
    put(session_factory, shop, AFTER_500, "counting")
    with transaction(session_factory) as session:
        declared = session.scalars(select(TaskRow)).all()
        session.execute(delete(TaskRow))
    let_time_pass(session_factory, daily, days=1)
    for schedule in run_due(session_factory):
        assert schedule.last_error is not None
        assert schedule.last_error["code"] == "no_tasks"
        assert "task-suggestions" in schedule.last_error["message"]
        assert schedule.last_job_id is None
    assert jobs(session_factory) == []
    # A time that has passed has passed; new events are still new.
    (again,) = run_due(session_factory)
    assert again.name == "counting"
    with transaction(session_factory) as session:
        session.add(TaskRow(dataset_id=shop.id, name="t", declaration=declared[0].declaration))
    (mended,) = run_due(session_factory)
    assert (mended.last_error, len(jobs(session_factory))) == (None, 1)


def test_a_paused_schedule_makes_nothing_and_catches_nothing_up(
    session_factory: Sessions, shop: Dataset
) -> None:
    schedule_id = put(session_factory, shop, DAILY)
    let_time_pass(session_factory, schedule_id, days=1)
    with transaction(session_factory) as session:
        assert enable_schedule(session, shop, "nightly", enabled=False).next_run_at is None
    assert run_due(session_factory) == []
    with transaction(session_factory) as session:
        resumed = enable_schedule(session, shop, "nightly", enabled=True)
        assert resumed.next_run_at is not None
        assert resumed.next_run_at > database_now(session)
    assert run_due(session_factory) == []


def test_a_schedule_that_is_gone_makes_nothing(session_factory: Sessions, shop: Dataset) -> None:
    with transaction(session_factory) as session:
        assert fire(session, 12345) is None
