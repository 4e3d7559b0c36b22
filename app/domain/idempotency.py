"""The same POST with the same `Idempotency-Key` creates once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import orjson
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import IdempotencyRecord
from app.errors import Conflict, FieldError, Invalid

_POINTER = "/header/Idempotency-Key"


@dataclass(frozen=True)
class IdempotentRequest:
    """A request that names itself: `operation` is what it does and to what."""

    operation: str
    key: str
    fingerprint: str


def fingerprint_of(*what: object) -> str:
    """A digest of JSON values, equal only for equal values."""
    return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()


def created_before(session: Session, request: IdempotentRequest | None) -> str | None:
    """The id of what this request created earlier; None if it has not, or has no key.

    Raises:
        Invalid: The key was used for another request.
    """
    if request is None:
        return None
    record = session.get(IdempotencyRecord, (request.operation, request.key))
    if record is None:
        return None
    if record.fingerprint != request.fingerprint:
        detail = f"the key {request.key!r} was used for another request: choose a new one"
        raise Invalid(
            detail,
            code="idempotency_key_reused",
            errors=(FieldError(_POINTER, detail, "idempotency_key_reused"),),
        )
    return record.resource_id


def remember(session: Session, request: IdempotentRequest | None, resource_id: str) -> None:
    """Keep what this request has created.

    Raises:
        Conflict: The same request was committed a moment ago.
    """
    if request is None:
        return
    record = IdempotencyRecord(
        operation=request.operation,
        key=request.key,
        fingerprint=request.fingerprint,
        resource_id=resource_id,
    )
    try:
        with session.begin_nested():
            session.add(record)
    except IntegrityError as error:
        raise Conflict(
            f"a request with the key {request.key!r} is being worked on: send it again",
            code="idempotency_key_in_use",
        ) from error


def forget(session: Session, operation: str, resource_id: str | None = None) -> None:
    """Forget the keys of an operation, or of one thing that it created."""
    statement = delete(IdempotencyRecord).where(IdempotencyRecord.operation == operation)
    if resource_id is not None:
        statement = statement.where(IdempotencyRecord.resource_id == resource_id)
    session.execute(statement)
