"""When a cron expression is due, by the clocks of a time zone.

Where the clocks go back, a time of day comes twice: an expression with fixed hours counts it once,
one that takes every hour counts both. Where they go forward, what falls into the missing hour is
due at its end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app.errors import FieldError, Invalid

_FIELDS = 5
_RANDOM_OR_HASHED = re.compile(r"\b[rh]\b", re.IGNORECASE)


def check_cron(expression: str, zone: str, now: datetime) -> None:
    """Let only expressions pass that will be due some day.

    Raises:
        Invalid: it is no cron expression of five fields, never due, or the zone is unknown.
    """
    from croniter.croniter import CroniterError  # no service needs it to begin

    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as error:
        detail = f"{zone!r} is no IANA time zone: name one such as Europe/London, or leave it out"
        raise _invalid("/body/time_zone", detail, "unknown_time_zone") from error
    if len(expression.split()) != _FIELDS or _RANDOM_OR_HASHED.search(expression):
        raise _no_cron(expression, "it has not the five fields")
    try:
        next_time(expression, zone, now)
    except CroniterError as error:
        raise _no_cron(expression, str(error)) from error


def next_time(expression: str, zone: str, after: datetime) -> datetime:
    """The first moment after this one at which the expression is due, in UTC."""
    from croniter import croniter

    times = croniter(expression, after.astimezone(ZoneInfo(zone)))
    while True:
        due: datetime = times.get_next(datetime)
        if due.fold == 0 or _takes_every_hour(expression):
            return due.astimezone(UTC)


def _takes_every_hour(expression: str) -> bool:
    return expression.split()[1].startswith("*")


def _no_cron(expression: str, reason: str) -> Invalid:
    detail = (
        f"{expression!r} is no cron expression that is ever due ({reason}): give minute, hour, day "
        "of month, month and day of week, such as '0 3 * * 1' for Mondays at three"
    )
    return _invalid("/body/cron", detail, "invalid_cron")


def _invalid(pointer: str, detail: str, code: str) -> Invalid:
    return Invalid(detail, code=code, errors=(FieldError(pointer, detail, code),))
