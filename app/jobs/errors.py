"""What stops a run. None of these reaches a client.

JobError
├── ImpossibleTransition   the state machine has no such arrow: a programming error
├── RunLost                the run no longer holds its job
└── CancelRequested        the job was cancelled before its result was stored
"""

from __future__ import annotations


class JobError(Exception):
    """Base of all errors of this package."""


class ImpossibleTransition(JobError):
    """The state machine has no such arrow: a programming error."""


class RunLost(JobError):
    """The run no longer holds its job: it was given to another, has ended, or was deleted."""


class CancelRequested(JobError):
    """The job was cancelled before its result was stored."""
