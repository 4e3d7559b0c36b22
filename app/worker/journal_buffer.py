"""What a child has said and the database does not know yet."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.jobs.errors import RunLost
from app.jobs.journal import write_log, write_progress
from app.jobs.lease import Run
from app.worker.messages import LogLine, Progress


class JournalBuffer:
    """Collects log lines and the newest progress, and writes them in one transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._progress: dict[str, Any] | None = None
        self._lines: list[LogLine] = []

    def add(self, message: Progress | LogLine) -> None:
        """Remember; a newer progress replaces an older one."""
        if isinstance(message, Progress):
            self._progress = message.data
        else:
            self._lines.append(message)

    def flush(self, sessions: sessionmaker[Session]) -> None:
        """Write what there is. What a run says that has lost its job is dropped.

        Raises:
            OperationalError: the database does not answer; everything is kept for the next time.
        """
        if self._lines:
            self._write_lines(sessions)
        if self._progress is not None:
            self._write_progress(sessions, self._progress)

    def _write_lines(self, sessions: sessionmaker[Session]) -> None:
        lines = [(line.said_at, line.data) for line in self._lines]
        try:
            with transaction(sessions) as session:
                write_log(session, self._run, lines)
        except RunLost:
            pass
        self._lines.clear()

    def _write_progress(self, sessions: sessionmaker[Session], progress: dict[str, Any]) -> None:
        try:
            with transaction(sessions) as session:
                write_progress(session, self._run, progress)
        except RunLost:
            pass
        self._progress = None
