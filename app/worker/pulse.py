"""A worker's sign of life, for health checks that cannot ask it over HTTP."""

from __future__ import annotations

from pathlib import Path

from app.worker.rhythm import Every

BEAT_S = 1.0


class Pulse:
    """A file that a worker touches about every second while its loop turns and does not fail."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._due = Every(BEAT_S)

    def beat(self) -> None:
        """The loop has turned; cheap enough for every turn."""
        if self._path is not None and self._due.is_due():
            self._path.touch()
