"""Put a job into the queue, inside the caller's transaction."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.errors import FieldError, Invalid
from app.jobs.clock import database_now
from app.jobs.events import record, state_data
from app.jobs.states import JobState


@dataclass(frozen=True)
class NewJob:
    """What is to be done.

    Attributes:
        dataset_id: None for a job of the whole service.
        request: what the client asked, for telling a repeated request from another one under the
            same idempotency key; unlike the arguments it does not change with the dataset.
        priority: a higher one is claimed first.
        schedule: name of the schedule that makes it.
    """

    kind: str
    dataset_id: int | None
    arguments: dict[str, Any]
    request: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    schedule: str | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests."""
        text = json.dumps([self.kind, self.dataset_id, self.request], sort_keys=True)
        return sha256(text.encode()).hexdigest()


def submit(session: Session, new: NewJob, *, idempotency_key: str | None = None) -> Job:
    """Queue a job; the same idempotency key gives the same job for ever.

    Raises:
        Invalid: the key was used for another request.
    """
    earlier = submitted_before(session, idempotency_key, new.fingerprint)
    if earlier is not None:
        return earlier
    now = database_now(session)
    job = Job(
        id=new_job_id(),
        kind=new.kind,
        dataset_id=new.dataset_id,
        schedule=new.schedule,
        arguments=new.arguments,
        idempotency_key=idempotency_key,
        fingerprint=new.fingerprint,
        state=JobState.QUEUED,
        priority=new.priority,
        run_at=now,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(job)
    except IntegrityError:
        # A twin of this request was committed between our look and our insert.
        twin = submitted_before(session, idempotency_key, new.fingerprint)
        if twin is None:
            raise
        return twin
    record(session, job.id, "state", state_data(job))
    return job


def submitted_before(session: Session, idempotency_key: str | None, fingerprint: str) -> Job | None:
    """The job that was submitted under this key; None if there is none, or no key.

    Raises:
        Invalid: the key was used for another request.
    """
    if idempotency_key is None:
        return None
    job = session.scalar(select(Job).where(Job.idempotency_key == idempotency_key))
    if job is not None and job.fingerprint != fingerprint:
        detail = f"the key {idempotency_key!r} was used for another request: choose a new one"
        code = "idempotency_key_reused"
        errors = (FieldError("/header/Idempotency-Key", detail, code),)
        raise Invalid(detail, code=code, errors=errors)
    return job


def new_job_id() -> str:
    """An id that sorts by the time of its making: milliseconds, then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
