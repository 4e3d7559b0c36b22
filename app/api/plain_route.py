"""The way of predictions past everything that they do not need.

Most requests for a prediction have nothing to check but three names in the path. They are answered
here, without the framework's parsing of parameters. A batch is read and checked in a thread, so
that single predictions go on meanwhile. Whatever is out of the ordinary (a query, an odd id, a body
that is not as it should be) goes on to the route of the same operation, which checks, refuses and
documents. The rendering of errors and whatever else is put around the application are the same for
both.
"""

from __future__ import annotations

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.predicting import Predicting
from app.api.prediction_schemas import LONGEST_ID, PredictionRequest
from app.api.predictions import answered
from app.domain.model_versions import CHAMPION

_PARTS = 8
"""Of `/v1/datasets/{dataset}/tasks/{task}/predictions/{entity_id}`; an id may have slashes."""


class PlainPredictions:
    """Answers `GET .../tasks/{task}/predictions/{entity_id}` without a query.

    It is a middleware, since the way through the router costs as much as a tenth of an answer. What
    it cannot answer it hands on with the error, which `FailedPredictionRoute` raises where errors
    are rendered.

    Args:
        app: gets everything else.
        predicting: answers.
    """

    def __init__(self, app: ASGIApp, predicting: Predicting) -> None:
        self._app = app
        self._predicting = predicting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        names = _asked(scope)
        if names is None:
            await self._app(scope, receive, send)
            return
        dataset, task, entity_id = names
        try:
            content = await self._predicting.single(dataset, task, entity_id, None, CHAMPION, None)
        except Exception as error:  # noqa: BLE001 (rendered by the application)
            await self._app({**scope, _FAILED: error}, receive, send)
            return
        headers = [
            (b"content-length", str(len(content)).encode()),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class FailedPredictionRoute(BaseRoute):
    """Raises what kept a plain prediction from being answered."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether something did."""
        return (Match.FULL if _FAILED in scope else Match.NONE), {}

    async def handle(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Raise it."""
        error: Exception = scope[_FAILED]
        raise error


class PlainBatchRoute(BaseRoute):
    """Answers `POST .../predictions` without a query.

    Args:
        predicting: answers.
        router: where a request goes that is out of the ordinary.
    """

    def __init__(self, predicting: Predicting, router: Router) -> None:
        self._predicting = predicting
        self._router = router

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the request is one of those."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return Match.NONE, {}
        parts = scope["path"].split("/")
        is_ours = len(parts) == 5 and parts[1:3] == ["v1", "datasets"] and parts[4] == "predictions"
        is_plain = is_ours and parts[3] and "\0" not in parts[3] and not scope.get("root_path")
        if not is_plain or _PASSED_ON in scope:
            return Match.NONE, {}
        return Match.FULL, {"asked": parts[3]}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        request = Request(scope, receive)
        content = await request.body()
        said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = None
        if said == "application/json":
            body = await self._predicting.in_batch(lambda: _checked(content))
        if body is None:
            await self._router.app({**scope, _PASSED_ON: True}, _again(content, receive), send)
            return
        accept = request.headers.get("accept")
        response = await answered(self._predicting, scope["asked"], body, accept=accept)
        await response(scope, receive, send)


def _asked(scope: Scope) -> tuple[str, str, str] | None:
    """Dataset, task and entity of a plain question for one prediction; None for anything else."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
        return None
    path: str = scope["path"]
    if not path.startswith("/v1/datasets/") or "\0" in path or scope.get("root_path"):
        return None
    parts = path.split("/", _PARTS - 1)
    if len(parts) < _PARTS or parts[4] != "tasks" or parts[6] != "predictions":
        return None
    names = parts[3], parts[5], parts[7]
    return names if all(names) and len(parts[7]) <= LONGEST_ID else None


_FAILED = "ssmtl.failed"
_PASSED_ON = "ssmtl.passed_on"


def _checked(content: bytes) -> PredictionRequest | None:
    """What is asked; None for a body that the other route shall say more about."""
    try:
        return PredictionRequest.model_validate(orjson.loads(content))
    except (orjson.JSONDecodeError, ValidationError):
        return None


def _again(content: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever else comes."""
    pieces = [content]

    async def replay() -> Message:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}
        return await receive()

    return replay
