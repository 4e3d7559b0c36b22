from __future__ import annotations

import pytest

from app.db.engine import transaction
from app.errors import Conflict, NotFound
from app.jobs.cancel import cancel
from app.jobs.ending import Failure, fail, finish
from app.jobs.lease import Run
from tests.app.jobs.conftest import Sessions, claim_one


def test_a_queued_job_is_cancelled_at_once(session_factory: Sessions, submitted: str) -> None:
    with transaction(session_factory) as session:
        job = cancel(session, submitted)
    assert job.state == "cancelled"
    assert job.finished_at is not None
    assert claim_one(session_factory) is None


def test_asking_again_changes_nothing(session_factory: Sessions, run: Run) -> None:
    for _ in range(2):
        with transaction(session_factory) as session:
            assert cancel(session, run.job_id).state == "cancelling"


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_an_ended_job_cannot_be_cancelled(session_factory: Sessions, run: Run, state: str) -> None:
    with transaction(session_factory) as session:
        if state == "succeeded":
            finish(session, run, {})
        else:
            fail(session, run, Failure("x", "y"))
    with pytest.raises(Conflict, match=state), transaction(session_factory) as session:
        cancel(session, run.job_id)


def test_an_unknown_job(session_factory: Sessions) -> None:
    with pytest.raises(NotFound, match="'nope'"), transaction(session_factory) as session:
        cancel(session, "nope")
