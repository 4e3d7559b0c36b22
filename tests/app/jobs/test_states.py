from __future__ import annotations

import itertools

import pytest
from sqlalchemy.exc import IntegrityError

from app.db.engine import transaction
from app.db.tables import Job
from app.jobs.errors import ImpossibleTransition
from app.jobs.states import (
    ACTIVE,
    TERMINAL,
    TRANSITIONS,
    JobState,
    check_transition,
)
from app.jobs.submit import NewJob, submit
from tests.app.jobs.conftest import Sessions


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, JobState)))
def test_only_drawn_transitions_pass(before: JobState, after: JobState) -> None:
    if after in TRANSITIONS[before]:
        check_transition("j", before, after)
    else:
        with pytest.raises(ImpossibleTransition, match=f"from {before} to {after}"):
            check_transition("j", before, after)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_nothing_follows_an_end(state: JobState) -> None:
    assert TRANSITIONS[state] == frozenset()


def test_a_cancel_wins() -> None:
    assert TRANSITIONS[JobState.CANCELLING] == {JobState.CANCELLED}


def test_a_job_is_queued_active_or_ended() -> None:
    assert set(JobState) == {JobState.QUEUED} | ACTIVE | TERMINAL


def test_the_database_refuses_what_is_not_drawn(session_factory: Sessions, dataset_id: int) -> None:
    """Also from somebody who writes the row without asking this package."""
    for before, after in itertools.permutations(JobState, 2):
        job_id = job_in(session_factory, dataset_id, before)
        if after in TRANSITIONS[before]:
            set_state(session_factory, job_id, after)
        else:
            with pytest.raises(IntegrityError, match="cannot go from"):
                set_state(session_factory, job_id, after)


def job_in(sessions: Sessions, dataset_id: int, state: JobState) -> str:
    with transaction(sessions) as session:
        job = submit(session, NewJob("test", dataset_id, arguments={}))
    for step in WAYS[state]:
        set_state(sessions, job.id, step)
    return job.id


def set_state(sessions: Sessions, job_id: str, state: JobState) -> None:
    with transaction(sessions) as session:
        session.get_one(Job, job_id).state = state


WAYS = {
    JobState.QUEUED: (),
    JobState.RUNNING: (JobState.RUNNING,),
    JobState.CANCELLING: (JobState.RUNNING, JobState.CANCELLING),
    JobState.SUCCEEDED: (JobState.RUNNING, JobState.SUCCEEDED),
    JobState.FAILED: (JobState.RUNNING, JobState.FAILED),
    JobState.CANCELLED: (JobState.CANCELLED,),
}
