"""Which function does which kind of job.

A handler is named by an import string, because only the child process may import it: the training
handler brings torch along. It takes a `JobRun` and returns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from app.worker.job_run import JobRun

HANDLERS = {
    "training": "app.worker.training:train",
    "prediction": "app.worker.scoring:score",
    "retention": "app.worker.retention:clean",
}
"""Import string of the handler by the job's kind."""

PREPARED = frozenset({"prediction"})
"""Kinds of jobs after which a child is kept ready for the next one: those that are soon done."""


def load_handler(import_string: str) -> Callable[[JobRun], None]:
    """The function that a string such as `app.worker.training:train` names."""
    module, _, name = import_string.partition(":")
    return cast("Callable[[JobRun], None]", getattr(import_module(module), name))
