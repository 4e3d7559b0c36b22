"""What stands behind every peer: one user's answer to one task, as of now."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.events import EventLog
from model.prediction import Predictor

ARTIFACT = "BENCHMARK_ARTIFACT"
INDEX = "BENCHMARK_INDEX"
"""Names of the environment variables that say where the two folders are."""


class Answering:
    """An artifact and an event index, as folders."""

    def __init__(self, artifact: Path, index: Path) -> None:
        self._predictor = Predictor.load(artifact)
        self._log = EventLog.open(index)

    @classmethod
    def of_environment(cls) -> Answering:
        """From the folders that the environment names."""
        return cls(Path(os.environ[ARTIFACT]), Path(os.environ[INDEX]))

    def answer(self, task: str, user: str) -> dict[str, Any]:
        """A distribution and its point."""
        now = datetime.now(UTC)
        answers = self._predictor.predict(self._log, [task], [user], now)[task]
        return {
            "task": task,
            "user": user,
            "point": float(answers.point[0]),
            "cold_start": bool(answers.cold_start[0]),
            **answers.answers()[0],
        }
