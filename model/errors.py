"""What can go wrong in the model.

SSMTLError                 every error of this package; `code` is stable, the message may change
├── InvalidEvents          the log, users or items do not have the shape that is asked for
├── InvalidTask            a task contradicts itself or the log
├── NotEnoughData          the log is too short or too small to learn from
├── UnknownTask            the model was not trained on this task
├── UnknownEntity          neither the log nor the tables know this user or item
├── InvalidOutcome         a stated outcome cannot be, or says nothing of other tasks
├── InvalidArtifact        the files of a model are damaged or of another format
├── InvalidIndex           the files of an event index are missing, damaged or of another format
└── Stopped                the caller asked the training to stop
"""

from __future__ import annotations


class SSMTLError(Exception):
    """Base of all errors of this package."""

    code = "error"


class InvalidEvents(SSMTLError):
    """The log, users or items do not have the shape that is asked for."""

    code = "invalid_events"


class InvalidTask(SSMTLError):
    """A task contradicts itself or the log; `task` names it."""

    code = "invalid_task"

    def __init__(self, task: str, message: str) -> None:
        super().__init__(f"task {task!r}: {message}")
        self.task = task


class NotEnoughData(SSMTLError):
    """The log is too short or too small to learn from."""

    code = "not_enough_data"


class UnknownTask(SSMTLError):
    """The model was not trained on this task."""

    code = "unknown_task"


class UnknownEntity(SSMTLError):
    """Neither the log nor the tables know this user or item."""

    code = "unknown_entity"


class InvalidOutcome(SSMTLError):
    """A stated outcome cannot be, or says nothing of other tasks; `task` names its task."""

    code = "invalid_outcome"

    def __init__(self, task: str, message: str) -> None:
        super().__init__(f"task {task!r}: {message}")
        self.task = task


class InvalidArtifact(SSMTLError):
    """The files of a model are damaged or of another format."""

    code = "invalid_artifact"


class InvalidIndex(SSMTLError):
    """The files of an event index are missing, damaged or of another format: build it again."""

    code = "invalid_index"


class Stopped(SSMTLError):
    """The caller asked the training to stop."""

    code = "stopped"
