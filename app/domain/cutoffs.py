"""When a prediction is made: as of the dataset's own clock, or of a moment that is given."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.db.types import utc_now
from app.domain.predictions import Basis
from app.domain.served import ServedDataset, ServedModel, shown_time
from app.errors import FieldError, Invalid
from model.events import to_microseconds
from model.prediction import whole_second

NOW = "now"
AHEAD = timedelta(days=2)
"""Clocks differ; what is later than this is a mistake."""

_POINTER = "/query/as_of"


def basis_of(dataset: ServedDataset, model: ServedModel, as_of: str | None) -> Basis:
    """What a request's answers are computed from.

    Args:
        dataset: as it is now.
        model: which version.
        as_of: RFC 3339, or `now` for the wall clock; None for the dataset's clock.

    Raises:
        Invalid: it is no moment, lies before the log or in the future, or the log has no times.
    """
    if as_of is None:
        return Basis(dataset, model, dataset.cutoff_us(model))
    return Basis(dataset, model, _cutoff_us(dataset, as_of))


def _cutoff_us(dataset: ServedDataset, as_of: str) -> int:
    log = dataset.log.base
    if not log.has_time:
        raise _invalid(
            f"the events of dataset {dataset.name!r} have no times: leave `as_of` out", "no_times"
        )
    moment_us = to_microseconds(utc_now() if as_of == NOW else _moment(as_of))
    latest_us = max(to_microseconds(utc_now() + AHEAD), dataset.now_us)
    if moment_us < log.first_us:
        raise _invalid(
            f"{as_of} is before the first event of dataset {dataset.name!r}, "
            f"{shown_time(log.first_us)}: nothing is known of it",
            "before_the_log",
        )
    if moment_us > latest_us:
        raise _invalid(
            f"{as_of} has not come yet: predictions look ahead from the newest event, "
            f"{shown_time(dataset.now_us)}, or from `as_of=now`",
            "future_time",
        )
    return whole_second(moment_us)


def _moment(as_of: str) -> datetime:
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise _invalid(
            f"{as_of!r} is no moment: write `now`, or RFC 3339, e.g. 2024-05-31T18:30:00Z",
            "not_a_time",
        ) from error
    if moment.tzinfo is None:
        raise _invalid(
            f"{as_of!r} has no zone: add Z or an offset, e.g. {as_of}Z (a + in a URL is %2B)",
            "not_a_time",
        )
    return moment


def _invalid(detail: str, code: str) -> Invalid:
    return Invalid(detail, errors=(FieldError(_POINTER, detail, code),))
