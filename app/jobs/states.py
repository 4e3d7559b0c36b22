"""The states of a job and the only ways between them.

                    submit
                      │
                      ▼        claim
       ┌─────────── queued ──────────────► running ────────────► succeeded
       │ cancel       ▲                    │  │  │    finish
       │              │ retry, release,    │  │  └────────────► failed
       ▼              │ worker lost        │  │ cancel  fail, lost too often
    cancelled         └────────────────────┘  ▼
       ▲                                   cancelling
       └──────────────────────────────────────┘
                 however the run ends

No other way is possible: `app.jobs.events.move` checks each one, and a trigger of the database
refuses what gets around it. A cancel that was accepted wins: from `cancelling` a job can only
become `cancelled`, also when its run fails, is lost or would have succeeded a moment later.
"""

from __future__ import annotations

from enum import StrEnum

from app.jobs.errors import ImpossibleTransition


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker holds its lease
    CANCELLING = "cancelling"  # still held by a worker, which has been told to stop
    SUCCEEDED = "succeeded"  # its result is stored
    FAILED = "failed"  # its error says what to do
    CANCELLED = "cancelled"  # stopped because somebody asked


ACTIVE = frozenset({JobState.RUNNING, JobState.CANCELLING})
"""A run holds the job."""

TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""Nothing happens to the job any more."""

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.QUEUED, JobState.CANCELLING, JobState.SUCCEEDED, JobState.FAILED}
    ),
    JobState.CANCELLING: frozenset({JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


def check_transition(job_id: str, before: JobState, after: JobState) -> None:
    """Let only the drawn transitions pass.

    Raises:
        ImpossibleTransition: `after` cannot follow `before`.
    """
    if after not in TRANSITIONS[before]:
        raise ImpossibleTransition(f"job {job_id} cannot go from {before} to {after}")
