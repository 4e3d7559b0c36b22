from __future__ import annotations

import itertools

import pytest

from app.jobs.errors import ImpossibleTransition
from app.jobs.states import (
    ACTIVE,
    TERMINAL,
    TRANSITIONS,
    JobState,
    check_transition,
)


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
