"""The event log in columns: one shop's interactions, with its users and items.

Times are int64 microseconds since 1970 in UTC, money is int64 cents, quantities are multiples of a
power of two (so that running totals are exact: what one user does cannot change the last bit of
another's), ids are int32 codes into `users.ids` and `items.ids`; a code of -1 is an absent id. Rows
are in the order of (time, row of the input).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import InvalidEvents
from model.events.calendar import local_minutes
from model.events.index import EntityEvents, PairEvents

MICROSECONDS_PER_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNIT_STEP = 2.0**-20
"""The grain of quantities: sums of up to 8 billion units are exact in float64."""
MAX_AMOUNT = 1e12
"""The largest quantity, price or value."""
MAX_TYPE_NAME = 200
REQUIRED_COLUMNS = ("user", "item", "time", "event_type")


@dataclass(frozen=True)
class Entities:
    """The users or the items: `attributes` has a row for each of `ids`, in that order."""

    ids: pd.Index
    attributes: pd.DataFrame

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, ids: pd.Series | pd.Index | list[str]) -> NDArray[np.int32]:
        """The codes of these ids, -1 for an id that is missing or unknown."""
        return self.ids.get_indexer(pd.Index(ids)).astype(np.int32)


@dataclass(frozen=True)
class EventColumn:
    """A further column of the events: numbers, or codes of texts.

    Attributes:
        data: (N,) float64 with NaN for missing, or int32 codes into `values` with -1 for missing.
        values: the texts, sorted; None for numbers.
    """

    data: NDArray[np.float64] | NDArray[np.int32]
    values: tuple[str, ...] | None


@dataclass(frozen=True)
class EventLog:
    """One shop's events in columns; all arrays have one entry per event.

    `units` is the quantity to the nearest `UNIT_STEP`, 1 where the log has none. `price_cents` is
    -1 where absent. `columns` are whatever else the log has. Without `has_time` all events are at
    time 0, and nothing is before or after anything.
    """

    users: Entities
    items: Entities
    event_types: tuple[str, ...]
    time_zone: str
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time_us: NDArray[np.int64]
    event_type: NDArray[np.int16]
    units: NDArray[np.float64]
    price_cents: NDArray[np.int64]
    value_cents: NDArray[np.int64]
    has_value: bool
    has_quantity: bool
    has_time: bool = True
    columns: Mapping[str, EventColumn] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_us)

    @property
    def first_us(self) -> int:
        """Time of the first event."""
        return int(self.time_us[0])

    @property
    def last_us(self) -> int:
        """Time of the last event: the log says nothing about what comes after it."""
        return int(self.time_us[-1])

    @property
    def span_days(self) -> float:
        """From the first event to the last."""
        return (self.last_us - self.first_us) / MICROSECONDS_PER_DAY

    @cached_property
    def local_minute(self) -> NDArray[np.int32]:
        """(N,) minutes since 1970 by the shop's clocks."""
        return local_minutes(self.time_us, self.time_zone)

    @cached_property
    def user_events(self) -> EntityEvents:
        """The events of each user."""
        return EntityEvents.build(self.user, len(self.users), self.item, self._slot_columns)

    @cached_property
    def item_events(self) -> EntityEvents:
        """The events of each item."""
        return EntityEvents.build(self.item, len(self.items), self.user, self._slot_columns)

    @cached_property
    def pair_events(self) -> PairEvents:
        """The events of each pair that has some."""
        return PairEvents.build(self.user, self.item, self._slot_columns)

    @property
    def _slot_columns(self) -> dict[str, NDArray[Any]]:
        names = ("time_us", "event_type", "units", "price_cents", "value_cents", "local_minute")
        return {name: getattr(self, name) for name in names}

    def is_type(self, name: str) -> NDArray[np.bool_]:
        """Which events are of this type; none for a type that the log does not have."""
        if name not in self.event_types:
            return np.zeros(len(self), dtype=bool)
        chosen: NDArray[np.bool_] = self.event_type == self.event_types.index(name)
        return chosen

    def until(self, time_us: int) -> EventLog:
        """The same log as it was at a time: events after it are gone, codes stay."""
        end = int(np.searchsorted(self.time_us, time_us, side="right"))
        names = ("user", "item", "time_us", "event_type", "units", "price_cents", "value_cents")
        return replace(
            self,
            columns={
                name: replace(column, data=column.data[:end])
                for name, column in self.columns.items()
            },
            **{name: getattr(self, name)[:end] for name in names},
        )

    @classmethod
    def from_frames(
        cls,
        events: pd.DataFrame,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        time_zone: str = "UTC",
    ) -> EventLog:
        """Sort, code and check the frames.

        Args:
            events: `user`, `item` (either may be missing in a row), `time` (naive times are
                local to `time_zone`), `event_type`; optional `quantity`, `price`, `value`.
            users: `user` and any attributes.
            items: `item` and any attributes.
            time_zone: the shop's, as an IANA name; months and weekdays are counted in it.

        Raises:
            InvalidEvents: a column is missing, a row has neither user nor item, a time or type is
                missing, or a time or amount cannot be read or is too large.
        """
        _check_zone(time_zone)
        missing = [column for column in REQUIRED_COLUMNS if column not in events.columns]
        if missing:
            raise InvalidEvents(
                f"the events have no column {missing[0]!r}; they have {list(events.columns)}"
            )
        time_us = _to_microseconds(events["time"], time_zone)
        order = np.argsort(time_us, kind="stable")
        user_ids, item_ids = _as_ids(events["user"]), _as_ids(events["item"])
        if bool((user_ids.isna() & item_ids.isna()).any()):
            raise InvalidEvents("an event has neither a user nor an item: give at least one")
        if bool(events["event_type"].isna().any()):
            raise InvalidEvents("an event has no event_type: fill it in")
        user_table = _entities("user", user_ids, users)
        item_table = _entities("item", item_ids, items)
        types = pd.Categorical(events["event_type"].astype("str"))
        _check_type_names(types.categories)
        quantity = _number(events, "quantity")
        price = _number(events, "price")
        value = _number(events, "value")
        value = np.where(np.isnan(value), quantity * price, value)
        for name, amounts in (("quantity", quantity), ("price", price), ("value", value)):
            _check_size(name, amounts)
        return cls(
            users=user_table,
            items=item_table,
            event_types=tuple(str(name) for name in types.categories),
            time_zone=time_zone,
            user=user_table.codes(user_ids)[order],
            item=item_table.codes(item_ids)[order],
            time_us=time_us[order],
            event_type=np.asarray(types.codes, dtype=np.int16)[order],
            units=_to_units(quantity)[order],
            price_cents=_to_cents(price, absent=-1)[order],
            value_cents=_to_cents(value, absent=0)[order],
            has_value=bool((~np.isnan(value)).any()),
            has_quantity=bool((~np.isnan(quantity)).any()),
        )


def to_datetime(time_us: int) -> datetime:
    """Microseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)


def to_microseconds(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970.

    Raises:
        InvalidEvents: the datetime has no zone.
    """
    if moment.tzinfo is None:
        raise InvalidEvents(f"the time {moment} has no zone: attach one")
    # Not `pd.Timestamp.value`: that counts nanoseconds whatever the unit.
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidEvents(f"unknown time zone {name!r}: use an IANA name, e.g. UTC") from error


def _to_microseconds(times: pd.Series, time_zone: str) -> NDArray[np.int64]:
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


def _check_type_names(names: pd.Index) -> None:
    for name in map(str, names):
        if not 0 < len(name) <= MAX_TYPE_NAME or "\0" in name:
            raise InvalidEvents(
                f"the event type {name[:40]!r} is no name: take 1 to {MAX_TYPE_NAME} characters, "
                "none of them zero"
            )


def _as_ids(column: pd.Series) -> pd.Series:
    """Text; whole numbers that a missing value has made fractions are written as whole."""
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    present = column.notna()
    ids = pd.Series(None, index=column.index, dtype="str")
    ids[present] = column[present].astype("str")
    return ids


def _entities(name: str, seen: pd.Series, table: pd.DataFrame | None) -> Entities:
    seen_ids = pd.Index(seen.dropna().unique())
    if table is None:
        ids = pd.Index(np.sort(seen_ids.to_numpy().astype(object)), dtype="str")
        return Entities(ids=ids, attributes=pd.DataFrame(index=range(len(ids))))
    if name not in table.columns:
        raise InvalidEvents(f"the {name}s have no column {name!r}; they have {list(table.columns)}")
    table = table.assign(**{name: _as_ids(table[name])}).dropna(subset=[name])
    table = table.drop_duplicates(subset=[name], keep="last").set_index(name)
    union = seen_ids.union(table.index)
    ids = pd.Index(np.sort(union.to_numpy().astype(object)), dtype="str")
    return Entities(ids=ids, attributes=table.reindex(ids).reset_index(drop=True))


def _number(events: pd.DataFrame, column: str) -> NDArray[np.float64]:
    if column not in events.columns:
        return np.full(len(events), np.nan)
    try:
        numbers = pd.to_numeric(events[column])
    except (TypeError, ValueError) as error:
        raise InvalidEvents(f"the column {column!r} is not of numbers: {error}") from error
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)


def _check_size(name: str, amounts: NDArray[np.float64]) -> None:
    too_large = np.flatnonzero(np.abs(amounts) > MAX_AMOUNT)
    if len(too_large):
        raise InvalidEvents(
            f"an event has the {name} {amounts[too_large[0]]:g}: at most {MAX_AMOUNT:g} is allowed"
        )


def _to_units(quantity: NDArray[np.float64]) -> NDArray[np.float64]:
    units: NDArray[np.float64] = np.rint(quantity / UNIT_STEP) * UNIT_STEP
    return np.where(np.isnan(units), 1.0, units)


def _to_cents(money: NDArray[np.float64], *, absent: int) -> NDArray[np.int64]:
    cents: NDArray[np.int64] = np.where(
        np.isnan(money), float(absent), np.rint(money * 100)
    ).astype(np.int64)
    return cents
