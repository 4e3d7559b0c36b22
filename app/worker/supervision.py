"""One claimed job, seen from its worker: start the child, watch it, settle how it ended.

The worker keeps the lease, passes a cancel on, writes what the child tells, and decides from what
the child left behind how the run ended. A success is the child's own doing: it is stored in the
child's transaction, and all that happens here afterwards finds the job ended.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import TRANSACTION_LOST, transaction
from app.db.tables import Job
from app.db.types import utc_now
from app.jobs.ending import Failure, fail, lose, release
from app.jobs.errors import RunLost
from app.jobs.lease import Run, renew_lease, state_of
from app.jobs.states import TERMINAL, JobState
from app.settings import Settings
from app.worker.children import Children
from app.worker.job_checkpoints import remove_checkpoints
from app.worker.job_run import scratch_folder
from app.worker.journal_buffer import JournalBuffer
from app.worker.lifeline import EXIT_ABANDONED
from app.worker.messages import (
    Assignment,
    JournalRequest,
    JournalWritten,
    LogLine,
    Progress,
    RenewedLease,
    StopRequest,
)
from app.worker.pulse import Pulse
from app.worker.rhythm import Every
from app.worker.stillness import Stillness
from app.worker.takeover import take_back

_TICK_S = 0.1
JOURNAL_S = 0.25

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What every job of a worker runs in; `stopping` is set when the worker is to end."""

    settings: Settings
    sessions: sessionmaker[Session]
    stopping: threading.Event
    pulse: Pulse


class Supervision:
    """See one run through to its end with `watch`."""

    def __init__(
        self,
        run: Run,
        handler: str,
        surroundings: Surroundings,
        claimed_monotonic: float,
        children: Children,
    ) -> None:
        settings = surroundings.settings
        self._run = run
        self._settings = settings
        self._sessions = surroundings.sessions
        self._stopping = surroundings.stopping
        self._pulse = surroundings.pulse
        self._journal = JournalBuffer(run)
        self._journal_is_awaited = False
        self._last_word: Failure | None = None
        self._kill_at: float | None = None
        lease = RenewedLease(claimed_monotonic + settings.lease_s)
        self._assignment = Assignment(run, handler, settings, lease)
        self._children = children

    def watch(self) -> None:
        """Run the job; returns when the child is gone and the job's fate is stored."""
        self._remove_scratch()
        taken = self._children.take(self._assignment)
        self._child, self._pipe = taken.process, taken.pipe
        assert self._child.pid is not None
        self._stillness = Stillness(self._child.pid)
        try:
            self._accompany()
        finally:
            self._child.kill()
            self._child.join()
            self._receive()
            self._pipe.close()
            self._remove_scratch()
        self._settle()
        self._child.close()

    def _accompany(self) -> None:
        renewal = Every(self._settings.lease_s / 3)
        look = Every(min(self._settings.poll_s, self._settings.lease_s / 3))
        journal = Every(JOURNAL_S)
        overdue = Every(self._settings.lease_s / 3)
        while self._goes_on():
            self._pipe.poll(_TICK_S)
            self._receive()
            self._pulse.beat()
            if renewal.is_due():
                self._attempt(self._renew_lease)
            if look.is_due():
                self._attempt(self._look_at_state)
            if journal.is_due() or self._journal_is_awaited:
                self._attempt(self._write_journal)
            if overdue.is_due():  # a busy worker too: the others may be busy for hours
                self._attempt(lambda: take_back(self._sessions, self._settings))
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill("the job was killed because it did not stop by itself")
            if self._stillness.lasts(self._settings.lease_s):
                # It may be in the middle of a transaction, and keep SQLite's only write lock.
                self._kill("the job was killed because its process was stopped")

    def _kill(self, why: str) -> None:
        self._child.kill()
        self._child.join()
        self._say("error", why)

    def _goes_on(self) -> bool:
        # After its last word a child has nothing to do but to take its libraries down.
        is_silent = self._last_word is None
        return is_silent and self._child.is_alive() and not self._stopping.is_set()

    def _say(self, level: str, message: str) -> None:
        self._journal.add(LogLine(utc_now(), {"level": level, "message": message, "fields": {}}))

    def _remove_scratch(self) -> None:
        # Also what an earlier run left whose worker died; a later one's is not ours.
        runs = scratch_folder(self._settings, self._run).parent
        for folder in runs.glob(f"{self._run.job_id}-*"):
            if int(folder.name.rpartition("-")[2]) <= self._run.run_token:
                shutil.rmtree(folder, ignore_errors=True)

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while self._pipe.poll():
                message = self._pipe.recv()
                if isinstance(message, Failure):
                    self._last_word = message
                elif isinstance(message, (Progress, LogLine)):
                    self._journal.add(message)
                elif isinstance(message, JournalRequest):
                    self._journal_is_awaited = True
                if isinstance(message, LogLine):
                    self._repeat(message)

    def _repeat(self, line: LogLine) -> None:
        fields = {**line.data["fields"], "job": self._run.job_id}
        level = logging.getLevelNamesMapping().get(line.data["level"].upper(), logging.INFO)
        log.log(level, line.data["message"], **fields)

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except TRANSACTION_LOST as error:
            # It may come back; if it does not in time, the lease ends and with it the child.
            log.warning("the database did not answer", job=self._run.job_id, error=str(error.orig))

    def _write_journal(self) -> None:
        self._journal.flush(self._sessions)
        if self._journal_is_awaited:
            self._journal_is_awaited = False
            self._tell(JournalWritten())

    def _renew_lease(self) -> None:
        asked_at = time.monotonic()
        with suppress(RunLost):  # whether that is bad is for `_look_at_state` to say
            with transaction(self._sessions) as session:
                renew_lease(session, self._run, self._settings.lease_s)
            self._tell(RenewedLease(asked_at + self._settings.lease_s))

    def _look_at_state(self) -> None:
        with transaction(self._sessions, write=False) as session:
            state = state_of(session, self._run)
        if state == JobState.CANCELLING and self._kill_at is None:
            self._kill_at = time.monotonic() + self._settings.cancel_grace_s
            self._tell(StopRequest())
        elif state is None or state == JobState.QUEUED:
            self._kill_at = time.monotonic()  # another worker may have it: no more work here

    def _tell(self, message: object) -> None:
        with suppress(OSError):
            self._pipe.send(message)

    def _settle(self) -> None:
        """Store how the run ended, as soon as the database answers."""
        exit_code = self._child.exitcode
        ending = self._ending(exit_code)
        while True:
            try:
                self._journal.flush(self._sessions)
                with transaction(self._sessions) as session:
                    ending(session)
                break
            except RunLost:
                break
            except TRANSACTION_LOST as error:
                log.warning("cannot store a job's end", job=self._run.job_id, error=str(error.orig))
                if self._stopping.wait(1.0):
                    break  # the lease will run out
        self._remove_checkpoints()
        code = None if self._last_word is None else self._last_word.code
        log.info("run ended", job=self._run.job_id, exit_code=exit_code, failure=code)

    def _remove_checkpoints(self) -> None:
        with suppress(*TRANSACTION_LOST), transaction(self._sessions, write=False) as session:
            job = session.get(Job, self._run.job_id)
            if job is not None and job.state in TERMINAL:
                remove_checkpoints(self._settings, job)

    def _ending(self, exit_code: int | None) -> Callable[[Session], None]:
        failure = self._last_word
        if failure is not None:
            self._say("error", f"{failure.code}: {failure.message}")
            return lambda session: fail(session, self._run, failure)
        if self._stopping.is_set() or exit_code == EXIT_ABANDONED:
            return lambda session: release(session, self._run)
        if exit_code:
            self._say("error", f"the process of the job died with exit code {exit_code}")
        return lambda session: lose(session, self._run)
