"""LitServe: python -m benchmarks.serving.peers.litserve_server PORT."""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.serving.peers.answering import Answering


class Answers(litserve.LitAPI):  # type: ignore[misc]
    """One request, one answer."""

    def setup(self, device: str) -> None:  # noqa: ARG002 (LitServe's signature)
        """In the worker process."""
        self.answering = Answering.of_environment()

    def predict(self, request: dict[str, str]) -> dict[str, Any]:
        """The answer of one user."""
        return self.answering.answer(request["task"], request["user"])


if __name__ == "__main__":
    server = litserve.LitServer(Answers(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
