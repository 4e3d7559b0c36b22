"""The processes that runs happen in: started when one is needed, or one of them ahead of that.

To import what a prediction job needs takes longer than to score some ten thousand entities. So a
worker that has had such a job keeps a child ready for the next one of the kind, for a while.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from app.worker import child
from app.worker.messages import Assignment

SPARE_S = 900.0
"""A child that nobody has needed for so long is let go: it takes some hundred MiB."""


class Child:
    """A process that waits for its assignment.

    Attributes:
        process: it.
        pipe: our end.

    Args:
        name: of the process.
        handler: what it imports at once; None for nothing.
    """

    def __init__(self, name: str, handler: str | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe: Connection[object, object]
        self.pipe, far_end = spawn.Pipe()
        self.process: BaseProcess = spawn.Process(
            target=child.main, args=(far_end, os.getpid(), handler), name=name, daemon=True
        )
        self.process.start()
        far_end.close()

    def assign(self, assignment: Assignment) -> bool:
        """Have it work on a run; False if it has died before."""
        with suppress(OSError):
            self.pipe.send(assignment)
            return self.process.is_alive()
        return False

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


class Children:
    """Those of one worker."""

    def __init__(self) -> None:
        self._spare: Child | None = None
        self._spare_since = 0.0
        self._prepared = ""

    def take(self, assignment: Assignment) -> Child:
        """A child that works on a run; the one that is ready if it knows the handler."""
        if self._spare is not None and assignment.handler == self._prepared:
            spare, self._spare = self._spare, None
            if spare.assign(assignment):
                return spare
            spare.end()
        fresh = Child(f"job-{assignment.run.job_id}")
        fresh.assign(assignment)  # one that has died already is found dead by who watches it
        return fresh

    def prepare(self, handler: str) -> None:
        """Have a child ready that knows a handler."""
        if self._spare is None:
            self._spare = Child("spare", handler)
            self._prepared = handler
            self._spare_since = time.monotonic()

    def rest(self) -> None:
        """To be called now and then while there is nothing to do."""
        if self._spare is not None and time.monotonic() - self._spare_since > SPARE_S:
            self.close()

    def close(self) -> None:
        """End the child that was kept ready."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.end()
