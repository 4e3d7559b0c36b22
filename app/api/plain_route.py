"""The way of single predictions past everything that they do not need.

Most requests for a prediction have nothing to check but three names in the path. They are answered
here, without the framework's parsing of parameters; whatever is out of the ordinary (a query, an
odd id) goes on to the route of the same operation, which checks, refuses and documents. Middleware
and the rendering of errors are the application's for both.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.api.predicting import Predicting
from app.api.prediction_schemas import LONGEST_ID
from app.domain.model_versions import CHAMPION

_PARTS = 8
"""Of `/v1/datasets/{dataset}/tasks/{task}/predictions/{entity_id}`; an id may have slashes."""


class PlainPredictionRoute(BaseRoute):
    """Answers `GET .../tasks/{task}/predictions/{entity_id}` without a query.

    Args:
        predicting: answers.
    """

    def __init__(self, predicting: Predicting) -> None:
        self._predicting = predicting

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is one of those."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return Match.NONE, {}
        path: str = scope["path"]
        if not path.startswith("/v1/datasets/") or "\0" in path or scope.get("root_path"):
            return Match.NONE, {}
        parts = path.split("/", _PARTS - 1)
        if len(parts) < _PARTS or parts[4] != "tasks" or parts[6] != "predictions":
            return Match.NONE, {}
        names = parts[3], parts[5], parts[7]
        if not all(names) or len(parts[7]) > LONGEST_ID:
            return Match.NONE, {}
        return Match.FULL, {"asked": names}

    async def handle(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer it."""
        dataset, task, entity_id = scope["asked"]
        content = await self._predicting.single(dataset, task, entity_id, None, CHAMPION, None)
        headers = [
            (b"content-length", str(len(content)).encode()),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
