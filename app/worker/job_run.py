"""What a handler gets: its job, and the ways to tell how it goes and to store its result."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import make_engine, make_session_factory, transaction
from app.db.types import utc_now
from app.jobs.ending import finish
from app.jobs.lease import Run, lock_run
from app.settings import Settings
from app.worker.job_checkpoints import take_checkpoints
from app.worker.lifeline import Lifeline
from app.worker.messages import LogLine, Progress
from model.checkpoints import CheckpointFolder, Checkpoints

_PROGRESS_INTERVAL_S = 0.1


class JobRun:
    """One run of a job, seen from the handler in the child process.

    Attributes:
        scratch: a folder for this run alone, made on first use and removed when the run has ended,
            however it ended; it lies on the file system of the data directory.
    """

    def __init__(self, run: Run, settings: Settings, lifeline: Lifeline) -> None:
        self.run = run
        self.job_id = run.job_id
        self.run_token = run.run_token
        self.arguments = run.arguments
        self.settings = settings
        self.is_finished = False
        self._lifeline = lifeline
        self._stage: str | None = None
        self._next_report_s = 0.0
        self._unsent: Progress | None = None

    @property
    def dataset_id(self) -> int:
        """Whose job it is; not to be asked of a job of the whole service."""
        assert self.run.dataset_id is not None
        return self.run.dataset_id

    @cached_property
    def session_factory(self) -> sessionmaker[Session]:
        """Sessions of this process."""
        return make_session_factory(
            make_engine(
                self.settings.resolved_database_url, idle_transaction_s=self.settings.lease_s
            )
        )

    @cached_property
    def checkpoint_folder(self) -> Path:
        """What earlier runs of the job have left, and where this one leaves what it has.

        Raises:
            RunLost: another run has the job.
        """
        return take_checkpoints(self.session_factory, self.settings, self.run)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints in that folder.

        Raises:
            RunLost: another run has the job.
        """
        return CheckpointFolder(self.checkpoint_folder, self.settings.checkpoint_s)

    @cached_property
    def scratch(self) -> Path:
        """The run's own folder."""
        folder = scratch_folder(self.settings, self.run)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def report(self, stage: str, fraction: float, **details: Any) -> None:
        """Show how far the run has come; `fraction` is of the whole run, from 0 to 1.

        Cheap enough for every batch: what comes too fast is left out, the newest is not.
        """
        data = json_safe({"stage": stage, "fraction": fraction, **details})
        self._unsent = Progress(data)
        if stage != self._stage:
            self._stage, self._next_report_s = stage, 0.0
        self._send_progress()

    def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Add a line to the job's log."""
        data = {"level": level, "message": message, "fields": json_safe(fields)}
        self._lifeline.send(LogLine(utc_now(), data))

    def should_stop(self) -> bool:
        """Whether the job was cancelled; a handler that goes on is killed after a grace."""
        self._send_progress()
        return self._lifeline.stop_requested.is_set()

    @contextmanager
    def fenced(self) -> Iterator[Session]:
        """A transaction that stores something before the end, if this run still has the job.

        Keep it short: nothing is told of the job while it is open.

        Raises:
            RunLost: another run has the job.
        """
        with transaction(self.session_factory) as session:
            lock_run(session, self.run)
            yield session

    @contextmanager
    def storing(self) -> Iterator[Session]:
        """The transaction that stores the result; call `finish` in it, last.

        What was reported and logged before is in the database when it begins, since on SQLite
        nobody else can write while it is open, and nothing is reported of a job that has ended.
        """
        self._next_report_s = 0.0
        self._send_progress()
        self._lifeline.wait_for_journal()
        with self._lifeline.storing(), transaction(self.session_factory) as session:
            yield session
        self.is_finished = True

    def finish(self, session: Session, result: dict[str, Any]) -> None:
        """The job succeeds when the transaction of this session is committed.

        Raises:
            RunLost: another run has the job.
            CancelRequested: the job was cancelled first.
        """
        finish(session, self.run, json_safe(result))

    def _send_progress(self) -> None:
        now_s = time.monotonic()
        if self._unsent is not None and now_s >= self._next_report_s:
            self._next_report_s = now_s + _PROGRESS_INTERVAL_S
            self._lifeline.send(self._unsent)
            self._unsent = None


def scratch_folder(settings: Settings, run: Run) -> Path:
    """Where a run may leave what nobody else should see."""
    return settings.data_dir / "runs" / f"{run.job_id}-{run.run_token}"


def json_safe(value: Any) -> Any:
    """The value as JSON can hold it: no NaN, no infinity, no numpy scalars."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "item"):
        return json_safe(value.item())
    return str(value)
