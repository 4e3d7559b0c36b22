from __future__ import annotations

from collections.abc import Callable

import pytest

from app.db.engine import transaction
from app.db.tables import Job
from app.db.types import utc_now
from app.jobs.ending import Failure, fail, finish, has_overdue, lose, release, take_back_overdue
from app.jobs.errors import RunLost
from app.jobs.events import events_after
from app.jobs.journal import write_log, write_progress
from app.jobs.lease import Run, renew_lease, state_of
from tests.app.jobs.conftest import Sessions, claim_one, let_lease_run_out

WRITES: dict[str, Callable[..., None]] = {
    "renew": lambda session, run: renew_lease(session, run, 30),
    "progress": lambda session, run: write_progress(session, run, {"stage": "x", "fraction": 1}),
    "log": lambda session, run: write_log(session, run, [(utc_now(), {"message": "x"})]),
    "finish": lambda session, run: finish(session, run, {}),
    "fail": lambda session, run: fail(session, run, Failure("x", "y")),
    "release": release,
    "lose": lose,
}


def test_a_renewed_lease_is_not_overdue(session_factory: Sessions, run: Run) -> None:
    let_lease_run_out(session_factory, run.job_id)
    with transaction(session_factory) as session:
        assert has_overdue(session)
        renew_lease(session, run, 30)
    with transaction(session_factory) as session:
        assert not has_overdue(session)
        assert take_back_overdue(session) == []


def test_an_overdue_job_is_queued_again_and_the_loss_counted(
    session_factory: Sessions, run: Run, job_now: Callable[[], Job]
) -> None:
    let_lease_run_out(session_factory, run.job_id)
    with transaction(session_factory) as session:
        assert [job.id for job in take_back_overdue(session)] == [run.job_id]
    job = job_now()
    assert (job.state, job.losses, job.attempt, job.worker) == ("queued", 1, 0, None)
    again = claim_one(session_factory, "worker-2")
    assert again is not None
    assert again.run_token == run.run_token + 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("claimed_again", [False, True])
def test_a_run_that_lost_its_job_writes_nothing(
    session_factory: Sessions,
    run: Run,
    job_now: Callable[[], Job],
    write: str,
    claimed_again: bool,
) -> None:
    let_lease_run_out(session_factory, run.job_id)
    with transaction(session_factory) as session:
        take_back_overdue(session)
    if claimed_again:
        assert claim_one(session_factory, "worker-2") is not None
    before = _everything(session_factory, job_now())
    with pytest.raises(RunLost), transaction(session_factory) as session:
        WRITES[write](session, run)
    assert _everything(session_factory, job_now()) == before


def test_a_deleted_job_is_lost(session_factory: Sessions, run: Run) -> None:
    with transaction(session_factory) as session:
        session.delete(session.get_one(Job, run.job_id))
    with transaction(session_factory) as session:
        assert state_of(session, run) is None
        with pytest.raises(RunLost):
            renew_lease(session, run, 30)


def test_the_last_log_lines_may_come_after_the_end(session_factory: Sessions, run: Run) -> None:
    with transaction(session_factory) as session:
        finish(session, run, {})
    with transaction(session_factory) as session:
        write_log(session, run, [(utc_now(), {"message": "bye"})])
    with transaction(session_factory, write=False) as session:
        assert events_after(session, run.job_id, 0)[-1].data == {"message": "bye"}


def _everything(sessions: Sessions, job: Job) -> object:
    with transaction(sessions, write=False) as session:
        events = [event.id for event in events_after(session, job.id, 0)]
    columns = {name: value for name, value in vars(job).items() if not name.startswith("_")}
    return columns, events
