"""What a worker and its child process say to each other through their pipe.

worker -> child    Assignment (the first), RenewedLease, StopRequest, JournalWritten
child -> worker    Progress, LogLine, JournalRequest, Failure (the last word; none after a success,
                   which the child stores itself)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.jobs.lease import Run
from app.settings import Settings


@dataclass(frozen=True)
class RenewedLease:
    """The run may go on until `time.monotonic()`, which all processes share, says so."""

    until_monotonic: float


@dataclass(frozen=True)
class Assignment:
    """A run, and what it needs; `handler` is an import string."""

    run: Run
    handler: str
    settings: Settings
    lease: RenewedLease


@dataclass(frozen=True)
class StopRequest:
    """Somebody cancelled the job: stop soon."""


@dataclass(frozen=True)
class Progress:
    """How far the run has come: `stage`, `fraction` of the whole and whatever else is JSON."""

    data: dict[str, Any]


@dataclass(frozen=True)
class LogLine:
    """A line of the job's log: `level`, `message`, `fields`."""

    said_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class JournalRequest:
    """Write all progress and log lines so far to the database now."""


@dataclass(frozen=True)
class JournalWritten:
    """They are written."""
