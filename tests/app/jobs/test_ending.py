from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from app.db.engine import transaction
from app.db.tables import Job
from app.jobs.cancel import cancel
from app.jobs.ending import (
    MAX_LOSSES,
    Failure,
    fail,
    finish,
    lose,
    release,
    take_back_overdue,
)
from app.jobs.errors import CancelRequested
from app.jobs.events import events_after
from app.jobs.journal import write_progress
from app.jobs.lease import Run
from tests.app.jobs.conftest import Sessions, claim_one, let_lease_run_out

JobNow = Callable[[], Job]


def test_a_finished_job_has_its_result(
    session_factory: Sessions, run: Run, job_now: JobNow
) -> None:
    with transaction(session_factory) as session:
        write_progress(session, run, {"stage": "fit", "fraction": 0.5, "losses": {"buys": 0.4}})
    with transaction(session_factory) as session:
        finish(session, run, {"model_version": 3})
    job = job_now()
    assert (job.state, job.result, job.lease_until) == ("succeeded", {"model_version": 3}, None)
    assert job.checkpoint is None
    assert job.progress == {"stage": "done", "fraction": 1.0, "losses": {"buys": 0.4}}
    assert job.finished_at is not None
    with transaction(session_factory, write=False) as session:
        events = events_after(session, run.job_id, 0)
    assert [event.data.get("state", event.kind) for event in events] == [
        "queued",
        "running",
        "progress",
        "succeeded",
    ]
    assert events[-1].data["result"] == {"model_version": 3}


def test_a_failed_job_says_why(session_factory: Sessions, run: Run, job_now: JobNow) -> None:
    with transaction(session_factory) as session:
        fail(session, run, Failure("not_enough_data", "send more events"))
    job = job_now()
    assert (job.state, job.error_code, job.error_message) == (
        "failed",
        "not_enough_data",
        "send more events",
    )
    with transaction(session_factory, write=False) as session:
        assert events_after(session, run.job_id, 0)[-1].data["error"]["code"] == "not_enough_data"


def test_a_transient_failure_is_tried_again_until_the_attempts_are_used_up(
    session_factory: Sessions, run: Run, job_now: JobNow
) -> None:
    failure = Failure("database_unavailable", "away", is_transient=True)
    attempt: Run | None = run
    for number in (1, 2, 3):
        assert attempt is not None
        with transaction(session_factory) as session:
            fail(session, attempt, failure)
        job = job_now()
        assert job.state == ("queued" if number < 3 else "failed")
        if number < 3:
            assert claim_one(session_factory) is None  # not at once
            with transaction(session_factory) as session:
                session.get_one(Job, run.job_id).run_at = job.created_at
            attempt = claim_one(session_factory)


def test_a_released_job_is_queued_and_nothing_is_counted(
    session_factory: Sessions, run: Run, job_now: JobNow
) -> None:
    with transaction(session_factory) as session:
        release(session, run)
    job = job_now()
    assert (job.state, job.attempt, job.losses) == ("queued", 0, 0)


def test_a_job_that_loses_its_worker_too_often_fails(
    session_factory: Sessions, run: Run, job_now: JobNow
) -> None:
    for number in range(1, MAX_LOSSES + 1):
        assert job_now().state == "running"
        let_lease_run_out(session_factory, run.job_id)
        with transaction(session_factory) as session:
            take_back_overdue(session)
        assert job_now().losses == number
        claim_one(session_factory)
    job = job_now()
    assert (job.state, job.error_code) == ("failed", "worker_lost")
    assert f"lost its worker {MAX_LOSSES} times" in (job.error_message or "")


ENDINGS: dict[str, Callable[[Session, Run], None]] = {
    "fail": lambda session, run: fail(session, run, Failure("x", "y")),
    "release": release,
    "lose": lose,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cancel_wins_however_the_run_ends(
    session_factory: Sessions, run: Run, job_now: JobNow, ending: str
) -> None:
    with transaction(session_factory) as session:
        assert cancel(session, run.job_id).state == "cancelling"
    with transaction(session_factory) as session:
        ENDINGS[ending](session, run)
    job = job_now()
    assert (job.state, job.error_code) == ("cancelled", None)


def test_a_result_that_comes_after_the_cancel_is_not_stored(
    session_factory: Sessions, run: Run, job_now: JobNow
) -> None:
    with transaction(session_factory) as session:
        cancel(session, run.job_id)
    with pytest.raises(CancelRequested), transaction(session_factory) as session:
        finish(session, run, {})
    job = job_now()
    assert (job.state, job.result) == ("cancelling", None)
