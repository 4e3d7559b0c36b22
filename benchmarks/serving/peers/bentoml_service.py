"""BentoML: bentoml serve benchmarks.serving.peers.bentoml_service:Answers --port PORT."""

from __future__ import annotations

from typing import Any

import bentoml

from benchmarks.serving.peers.answering import Answering


@bentoml.service(workers=1)
class Answers:
    """One request, one answer."""

    def __init__(self) -> None:
        self.answering = Answering.of_environment()

    @bentoml.api
    def predict(self, task: str, user: str) -> dict[str, Any]:
        """The answer of one user."""
        return self.answering.answer(task, user)
