"""Schedules: when a dataset is trained anew. `app.domain.firing` does what they say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Schedule
from app.db.types import utc_now
from app.domain.cron import check_cron, next_time
from app.domain.training_jobs import TrainingRequest
from app.errors import FieldError, Invalid, NotFound, PreconditionFailed
from app.jobs.clock import database_now


@dataclass(frozen=True)
class Rule:
    """What a schedule says: either `cron` or `after_new_events` is set.

    Attributes:
        cron: five fields, by the clocks of `time_zone`.
        time_zone: IANA name; None for the dataset's.
        after_new_events: how many events must have come since the last training.
        training: what each training is asked for.
        enabled: a schedule that is not makes no jobs.
    """

    cron: str | None
    time_zone: str | None
    after_new_events: int | None
    training: TrainingRequest
    enabled: bool

    @property
    def columns(self) -> dict[str, Any]:
        """As the row has it; hyperparameters that were left out are those of the day."""
        config = self.training.config.model_dump(mode="json", exclude_unset=True)
        return {
            "cron": self.cron,
            "time_zone": self.time_zone,
            "after_new_events": self.after_new_events,
            "training": {**self.training.document, "config": config},
            "enabled": self.enabled,
        }


def put_schedule(
    session: Session, dataset: Dataset, name: str, rule: Rule, if_match: str | None = None
) -> tuple[Schedule, bool]:
    """Make a schedule, or change it; the second answer says whether it is a new one.

    The dataset must be locked, so that of two changes with the same If-Match one is refused.

    Raises:
        Invalid: the rule says nothing, too much, or what will never be.
        PreconditionFailed: `if_match` names another state than the schedule's.
    """
    row = _find(session, dataset, name)
    _check_precondition(row, name, if_match)
    now = database_now(session)
    _check(rule, dataset, now)
    if row is None:
        row = Schedule(dataset_id=dataset.id, name=name, **rule.columns)
        row.next_run_at = _next_run_at(row, dataset, now)
        session.add(row)
        session.flush()
        return row, True
    _change(session, row, dataset, rule.columns, now)
    return row, False


def enable_schedule(session: Session, dataset: Dataset, name: str, *, enabled: bool) -> Schedule:
    """Let a schedule of a locked dataset go on, or pause it; what a pause has missed is not run.

    Raises:
        NotFound: the dataset has none of this name.
    """
    row = get_schedule(session, dataset, name)
    _change(session, row, dataset, {"enabled": enabled}, database_now(session))
    return row


def get_schedule(session: Session, dataset: Dataset, name: str) -> Schedule:
    """The schedule of this name.

    Raises:
        NotFound: the dataset has none; the message says which it has.
    """
    row = _find(session, dataset, name)
    if row is None:
        names = select(Schedule.name).where(Schedule.dataset_id == dataset.id)
        known = ", ".join(session.scalars(names.order_by(Schedule.name)))
        there_are = f"there are {known}" if known else "there are none yet"
        raise NotFound(
            f"no schedule {name!r} in dataset {dataset.name!r}; {there_are}",
            code="schedule_not_found",
        )
    return row


def list_schedules(
    session: Session, dataset: Dataset, after: str | None, limit: int
) -> list[Schedule]:
    """Schedules by name, one more than `limit` if there are more."""
    statement = select(Schedule).where(Schedule.dataset_id == dataset.id).order_by(Schedule.name)
    if after is not None:
        statement = statement.where(Schedule.name > after)
    return list(session.scalars(statement.limit(limit + 1)))


def delete_schedule(
    session: Session, dataset: Dataset, name: str, if_match: str | None = None
) -> None:
    """Forget a schedule of a locked dataset; the jobs that it made stay.

    Raises:
        NotFound: the dataset has none of this name.
        PreconditionFailed: `if_match` names another state than the schedule's.
    """
    row = get_schedule(session, dataset, name)
    _check_precondition(row, name, if_match)
    session.delete(row)
    session.flush()


def zone_of(row: Schedule, dataset: Dataset) -> str:
    """The time zone that a schedule goes by."""
    return row.time_zone or dataset.time_zone


def etag_of(row: Schedule) -> str:
    """Changes whenever somebody changes the schedule; that it has run does not change it."""
    state = f"{row.id} {row.revision} {row.updated_at.isoformat()}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:20]}"'


def _change(
    session: Session, row: Schedule, dataset: Dataset, columns: dict[str, Any], now: datetime
) -> None:
    if all(getattr(row, name) == value for name, value in columns.items()):
        return
    for name, value in columns.items():
        setattr(row, name, value)
    row.next_run_at = _next_run_at(row, dataset, now)
    row.last_error = None
    row.revision += 1
    row.updated_at = utc_now()
    session.flush()


def _next_run_at(row: Schedule, dataset: Dataset, now: datetime) -> datetime | None:
    if row.cron is None or not row.enabled:
        return None
    return next_time(row.cron, zone_of(row, dataset), now)


def _check(rule: Rule, dataset: Dataset, now: datetime) -> None:
    if (rule.cron is None) == (rule.after_new_events is None):
        raise _invalid("/body", "give either `cron` or `after_new_events`, so that it can be due")
    if rule.cron is not None:
        check_cron(rule.cron, rule.time_zone or dataset.time_zone, now)
    elif rule.time_zone is not None:
        raise _invalid("/body/time_zone", "only `cron` goes by a time zone: leave it out")


def _invalid(pointer: str, detail: str) -> Invalid:
    code = "invalid_schedule"
    return Invalid(detail, code=code, errors=(FieldError(pointer, detail, code),))


def _find(session: Session, dataset: Dataset, name: str) -> Schedule | None:
    return session.scalar(
        select(Schedule).where(Schedule.dataset_id == dataset.id, Schedule.name == name)
    )


def _check_precondition(row: Schedule | None, name: str, if_match: str | None) -> None:
    if if_match is None:
        return
    wanted = {tag.strip() for tag in if_match.split(",")}
    if row is None:
        raise PreconditionFailed(f"there is no schedule {name!r}, so nothing matches If-Match")
    if "*" not in wanted and etag_of(row) not in wanted:
        raise PreconditionFailed(
            f"schedule {name!r} was changed meanwhile: it is at {etag_of(row)}; read it again"
        )
