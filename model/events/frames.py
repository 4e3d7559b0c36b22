"""From columns of a frame to columns of the log: times, event types, numbers, further columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.errors import InvalidEvents

MAX_TYPE_NAME = 200
_KNOWN_COLUMNS = frozenset({"user", "item", "event_type", "time", "quantity", "price", "value"})


@dataclass(frozen=True)
class EventColumn:
    """A further column of the events: numbers, or codes of texts.

    Attributes:
        data: (N,) float64 with NaN for missing, or int32 codes into `values` with -1 for missing.
        values: the texts, sorted; None for numbers.
    """

    data: NDArray[np.float64] | NDArray[np.int32]
    values: tuple[str, ...] | None


def check_zone(name: str) -> None:
    """Refuse a time zone that is none.

    Raises:
        InvalidEvents: it is no IANA name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidEvents(f"unknown time zone {name!r}: use an IANA name, e.g. UTC") from error


def check_columns(events: pd.DataFrame) -> None:
    """Refuse events without what every event has.

    Raises:
        InvalidEvents: there is no type, or neither users nor items.
    """
    columns = list(events.columns)
    if "event_type" not in columns:
        raise InvalidEvents(f"the events have no column 'event_type'; they have {columns}")
    if not {"user", "item"} & set(columns):
        raise InvalidEvents(
            f"the events have no column 'user' and none 'item': give at least one of them; they "
            f"have {columns}"
        )


def check_type_names(names: Iterable[str]) -> None:
    """Refuse names that nobody could write in a task.

    Raises:
        InvalidEvents: a name is empty, too long or has a zero in it.
    """
    for name in names:
        if not 0 < len(name) <= MAX_TYPE_NAME or "\0" in name:
            raise InvalidEvents(
                f"the event type {name[:40]!r} is no name: take 1 to {MAX_TYPE_NAME} characters, "
                "none of them zero"
            )


def microseconds_of(times: pd.Series, time_zone: str) -> NDArray[np.int64]:
    """Since 1970 in UTC; naive times are local.

    Raises:
        InvalidEvents: a time is missing, cannot be read, or occurs twice.
    """
    try:
        parsed = pd.to_datetime(times)
    except ValueError as error:
        raise InvalidEvents(f"the column 'time' cannot be read: {error}") from error
    if bool(parsed.isna().any()):
        raise InvalidEvents("an event has no time: fill it in or leave the event out")
    if parsed.dt.tz is None:
        parsed = parsed.dt.tz_localize(time_zone, ambiguous="NaT", nonexistent="shift_forward")
        if bool(parsed.isna().any()):
            raise InvalidEvents(
                f"an event's local time occurs twice in {time_zone} (clocks were set back): "
                "give times with an offset"
            )
    utc = parsed.dt.tz_convert("UTC").dt.as_unit("us")
    return np.asarray(utc.astype("int64"), dtype=np.int64)


def numbers_of(events: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column of numbers, NaN where there is none.

    Raises:
        InvalidEvents: something in it is no number.
    """
    if column not in events.columns:
        return np.full(len(events), np.nan)
    try:
        numbers = pd.to_numeric(events[column])
    except (TypeError, ValueError) as error:
        raise InvalidEvents(f"the column {column!r} is not of numbers: {error}") from error
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def further_columns(events: pd.DataFrame) -> dict[str, EventColumn]:
    """What else the events have, in the order of names."""
    names = sorted(str(name) for name in events.columns if name not in _KNOWN_COLUMNS)
    return {name: coded_column(events[name]) for name in names}


def coded_column(column: pd.Series) -> EventColumn:
    """Numbers as they are, all else as codes of its texts."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return EventColumn(column.to_numpy(dtype=np.float64, na_value=np.nan), None)
    codes, values = pd.factorize(column.where(column.isna(), column.astype("str")), sort=True)
    return EventColumn(codes.astype(np.int32), tuple(map(str, values)))
