"""Every answer that is not what was asked for, as RFC 9457 problem details."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.db.engine import DATABASE_AWAY
from app.errors import FieldError, ServiceError, Unavailable
from model.errors import SSMTLError

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:ssmtl:problem:"
_RETRY_AFTER_S = 5
_STATUS_OF_MODEL_ERRORS = {"unknown_task": 404, "unknown_entity": 404, "invalid_artifact": 500}

logger = logging.getLogger(__name__)


class ProblemError(BaseModel):
    """One thing that is wrong, and where in the request."""

    pointer: str = Field(
        description="JSON pointer; its first part is `body`, `query`, `path` or `header`",
        examples=["/body/events/columns/time"],
    )
    detail: str
    code: str


class Problem(BaseModel):
    """Problem details (RFC 9457). `type` is stable, `detail` is for people."""

    type: str = Field(examples=["urn:ssmtl:problem:not_found"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="the path that was asked")
    code: str = Field(description="the last part of `type`", examples=["not_found"])
    errors: list[ProblemError] = []


DEFAULT_RESPONSE: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "What is wrong (RFC 9457)"}
}


def problem(
    request: Request,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The problem as a response."""
    body = Problem(
        type=_TYPE + code,
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        errors=[ProblemError(**asdict(error)) for error in errors],
    )
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Render all errors as problems and say so in the OpenAPI document."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(SSMTLError, _model_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _disconnect)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)
    app.add_exception_handler(Exception, _unexpected_error)
    _document(app)


def _service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return problem(
        request, error.status, error.code, error.title, error.detail, error.errors, error.headers
    )


def _model_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SSMTLError)
    status = _STATUS_OF_MODEL_ERRORS.get(error.code, 422)
    if status == 500:
        return _unexpected_error(request, error)
    return problem(request, status, error.code, HTTPStatus(status).phrase, str(error))


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_field_error(fault) for fault in error.errors()]
    if any(fault.pointer == "/body" for fault in errors) and not _says_json(request):
        sent = request.headers.get("content-type", "none")
        detail = f"the body is read as JSON only with Content-Type: application/json, not {sent!r}"
        phrase = HTTPStatus.UNSUPPORTED_MEDIA_TYPE.phrase
        return problem(request, 415, "unsupported_media_type", phrase, detail)
    first = f"{errors[0].pointer}: {errors[0].detail}" if errors else "see errors"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return problem(request, 422, "invalid", "Invalid request", first + more, errors)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NO_CONTENT:  # an answer, only from where there is none else
        return Response(status_code=error.status_code)
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        404: f"nothing lies at {request.url.path}; /docs lists what does",
        405: f"{request.method} is not possible at {request.url.path}",
    }
    detail = error.detail
    if detail == phrase:
        detail = details.get(error.status_code, phrase)
    code = phrase.lower().replace(" ", "_")
    headers = dict(error.headers) if error.headers else None
    return problem(request, error.status_code, code, phrase, detail, headers=headers)


def _disconnect(request: Request, _error: Exception) -> JSONResponse:
    # Nobody reads this answer; it keeps a cut-off upload from being logged as our failure.
    return problem(request, 400, "incomplete_request", "Incomplete request", "the client went away")


def _database_away(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s found no database", request.method, request.url.path, exc_info=error)
    return problem(
        request,
        Unavailable.status,
        "database_unavailable",
        Unavailable.title,
        "the database is busy or does not answer, nothing was changed: send the request again",
        headers={"Retry-After": str(_RETRY_AFTER_S)},
    )


def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(
        request,
        500,
        "internal_error",
        "The service failed",
        "an error that is not yours; the service's log has the details",
    )


def _field_error(fault: dict[str, Any]) -> FieldError:
    if fault["type"] == "json_invalid":
        place = f"character {fault['loc'][-1]}"
        detail = f"this is not JSON: {fault['ctx']['error']} at {place}"
        return FieldError("/body", detail, "json_invalid")
    return FieldError(_pointer(fault["loc"]), fault["msg"], fault["type"])


def _says_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def _pointer(location: Sequence[int | str]) -> str:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location]
    return "".join(f"/{part}" for part in parts)


def _document(app: FastAPI) -> None:
    build = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for operations in build()["paths"].values():
                for operation in operations.values():
                    _use_problem_media_type(operation.get("responses", {}).get("default", {}))
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _use_problem_media_type(response: dict[str, Any]) -> None:
    # FastAPI gives it the media type of the route's own answer.
    for content in response.pop("content", {}).values():
        response["content"] = {MEDIA_TYPE: content}
