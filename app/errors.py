"""What the service answers when it cannot do what was asked.

ServiceError               has a status, a stable code and perhaps errors that point into the
│                          request; one handler renders it as RFC 9457 problem details
├── NotFound        404    no such dataset, task, job, version, alias or entity
├── NotAcceptable   406    the answer has none of the forms that the client accepts
├── Conflict        409    the name is taken, or the state does not allow it
├── NotTrained      409    no model version can answer yet
├── PreconditionFailed 412 `If-Match` names another state of the resource
├── TooLarge        413    the upload is larger than the service takes
├── UnsupportedFormat 415  neither the Content-Type nor `?format=` names a known format
├── Invalid         422    the request is well-formed but says something impossible
└── Unavailable     503    what the answer needs cannot be read; other requests go on
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong, and where: `pointer` is a JSON pointer into the request."""

    pointer: str
    detail: str
    code: str


class ServiceError(Exception):
    """Base of all answers that are not what was asked for."""

    status = 500
    code = "internal_error"
    title = "The service failed"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers
        if code is not None:
            self.code = code


class NotFound(ServiceError):
    """No such dataset, task, job, version, alias or entity."""

    status, code, title = 404, "not_found", "Not found"


class NotAcceptable(ServiceError):
    """The answer has none of the forms that the client accepts."""

    status, code, title = 406, "not_acceptable", "Not acceptable"


class Conflict(ServiceError):
    """The name is taken, or the state of the resource does not allow it."""

    status, code, title = 409, "conflict", "Conflict"


class NotTrained(Conflict):
    """No model version can answer yet."""

    code, title = "not_trained", "No trained model yet"


class PreconditionFailed(ServiceError):
    """`If-Match` names another state of the resource."""

    status, code, title = 412, "precondition_failed", "Precondition failed"


class TooLarge(ServiceError):
    """The upload is larger than the service takes."""

    status, code, title = 413, "too_large", "Too large"


class UnsupportedFormat(ServiceError):
    """Neither the Content-Type nor `?format=` names a known format."""

    status, code, title = 415, "unsupported_format", "Unsupported format"


class Invalid(ServiceError):
    """The request is well-formed but says something impossible."""

    status, code, title = 422, "invalid", "Invalid request"


class Unavailable(ServiceError):
    """What the answer needs cannot be read; other requests go on."""

    status, code, title = 503, "unavailable", "Unavailable"
