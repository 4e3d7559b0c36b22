"""What a child has said and the database does not know yet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.jobs.errors import RunLost
from app.jobs.journal import write_log, write_progress
from app.jobs.lease import Run
from app.worker.messages import LogLine, Progress


class JournalBuffer:
    """Collects log lines and progress and writes them in the order in which they were said.

    Of a stage only the newest progress is written, but no stage is left out, however short it was.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._entries: list[Progress | LogLine] = []

    def add(self, message: Progress | LogLine) -> None:
        """Remember; a newer progress of the same stage replaces an older one."""
        if isinstance(message, Progress):
            stage = message.data["stage"]
            self._entries = [
                entry
                for entry in self._entries
                if isinstance(entry, LogLine) or entry.data["stage"] != stage
            ]
        self._entries.append(message)

    def flush(self, sessions: sessionmaker[Session]) -> None:
        """Write what there is. What a run says that has lost its job is dropped.

        Raises:
            OperationalError: the database does not answer; everything is kept for the next time.
        """
        if not self._entries:
            return
        with transaction(sessions) as session:
            for _, group in groupby(self._entries, key=type):
                with suppress(RunLost):
                    self._write(session, list(group))
        self._entries.clear()

    def _write(self, session: Session, entries: Sequence[Progress | LogLine]) -> None:
        lines = [(entry.said_at, entry.data) for entry in entries if isinstance(entry, LogLine)]
        if lines:
            write_log(session, self._run, lines)
        for entry in entries:
            if isinstance(entry, Progress):
                write_progress(session, self._run, entry.data)
