"""A child process's end of the pipe to its worker, and what ties its life to the worker's.

The child ends itself, without cleaning up, when the worker is gone (the kernel says so on Linux,
the closed pipe elsewhere) or when no renewed lease has come in time: from then on another worker
may have the job. One that was stopped looks at the clock before anything else when it is woken.
While a result is being stored the fence decides instead of the clock, because a database that is
busy with just this result keeps the worker from renewing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NoReturn

from app.worker.messages import JournalRequest, JournalWritten, RenewedLease, StopRequest

EXIT_ABANDONED = 70
_PR_SET_PDEATHSIG = 1
_STORING_POLL_S = 0.1


class Lifeline:
    """The child's end of the pipe, listened to by a thread of its own."""

    def __init__(self, connection: Connection[object, object], lease: RenewedLease) -> None:
        self.stop_requested = threading.Event()
        self._connection = connection
        self._until = lease.until_monotonic
        self._storing = False
        self._sending = threading.Lock()
        self._journal_written = threading.Event()

    def tie(self) -> None:
        """From here on the child does not outlive its lease; for the main thread."""
        signal.signal(signal.SIGCONT, lambda _number, _frame: self._look_at_clock())
        self._look_at_clock()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def send(self, message: object) -> None:
        """Tell the worker; a worker that is gone ends the child."""
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            abandon()

    def wait_for_journal(self) -> None:
        """Return when the database has all progress and log lines that were sent."""
        self._journal_written.clear()
        self.send(JournalRequest())
        self._journal_written.wait()  # or the lease ends, and the child with it

    @contextmanager
    def storing(self) -> Iterator[None]:
        """While inside, an overdue lease does not end the child."""
        self._storing = True
        try:
            yield
        finally:
            self._storing = False

    def _listen(self) -> None:
        while True:
            remaining_s = self._until - time.monotonic()
            message = self._receive(max(remaining_s, _STORING_POLL_S if self._storing else 0.0))
            if isinstance(message, RenewedLease):
                self._until = message.until_monotonic
            elif isinstance(message, StopRequest):
                self.stop_requested.set()
            elif isinstance(message, JournalWritten):
                self._journal_written.set()
            else:
                self._look_at_clock()

    def _look_at_clock(self) -> None:
        is_over = time.monotonic() >= self._until and not self._storing
        if is_over and not self._connection.poll():
            abandon()  # and nothing waits in the pipe that would say otherwise

    def _receive(self, timeout_s: float) -> object:
        """The next message, None if there is none in time."""
        try:
            return self._connection.recv() if self._connection.poll(timeout_s) else None
        except (EOFError, OSError):
            abandon()


def die_with(worker_pid: int) -> None:
    """From here on this process does not outlive its worker, as far as the system sees to that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker_pid:
        abandon()


def abandon() -> NoReturn:
    """End this process without cleaning up."""
    os._exit(EXIT_ABANDONED)
