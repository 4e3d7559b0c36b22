"""The event log in columns: one shop's interactions, with its users and items.

Times are int64 microseconds since 1970 in UTC, money is int64 cents, quantities are multiples of a
power of two (so that running totals are exact: what one user does cannot change the last bit of
another's), ids are int32 codes into `users.ids` and `items.ids`; a code of -1 is an absent id. Rows
are in the order of time; those of one moment in the order of what they are, so that the order in
which they were written down does not matter (without times it stays).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.errors import InvalidEvents
from model.events.amounts import Amounts
from model.events.calendar import local_minutes
from model.events.counting import taken
from model.events.entities import Entities, ids_of
from model.events.frames import (
    EventColumn,
    check_columns,
    check_type_names,
    check_zone,
    further_columns,
    microseconds_of,
    numbers_of,
)
from model.events.index import EntityEvents, PairEvents
from model.events.ordering import ties_broken
from model.events.packed import PackedEvents

MICROSECONDS_PER_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROW_COLUMNS = ("user", "item", "time_us", "event_type", "units", "price_cents", "value_cents")
"""What a log has per event, besides further columns."""
LOG_COLUMNS = (*ROW_COLUMNS, "local_minute")
"""The same with what follows from the time."""


@dataclass(frozen=True)
class EventLog:
    """One shop's events in columns; all arrays have one entry per event.

    `units` is the quantity to the nearest `UNIT_STEP`, 1 where the log has none. `price_cents` is
    -1 where absent. `columns` are whatever else the log has. Where the log is `packed`, its columns
    are views of that, amounts perhaps in smaller types that hold them to the last bit. Without
    `has_time` all events are at time 0, and nothing is before or after anything.
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
    packed: PackedEvents | None = None

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
        return EntityEvents.build(self.user, len(self.users), self.item, self.slot_columns)

    @cached_property
    def item_events(self) -> EntityEvents:
        """The events of each item."""
        return EntityEvents.build(self.item, len(self.items), self.user, self.slot_columns)

    @cached_property
    def pair_events(self) -> PairEvents:
        """The events of each pair that has some."""
        return PairEvents.build(self.user, self.item, self.slot_columns)

    @classmethod
    def open(cls, folder: Path) -> EventLog:
        """The log of a folder that `building.build_index` made, mapped into memory.

        Raises:
            InvalidIndex: the folder is missing, damaged or of another version.
        """
        from model.events.storage import StoredLog

        return StoredLog(folder).open()

    def with_indices(
        self,
        *,
        local_minute: NDArray[np.int32],
        user_events: EntityEvents,
        item_events: EntityEvents,
        pair_events: PairEvents,
    ) -> EventLog:
        """The same log with what it would make, made already."""
        log = replace(self)
        vars(log).update(
            local_minute=local_minute,
            user_events=user_events,
            item_events=item_events,
            pair_events=pair_events,
        )
        return log

    @property
    def slot_columns(self) -> dict[str, NDArray[Any]]:
        """What an index puts side by side, in the order of rows."""
        names = ("time_us", "event_type", "units", "price_cents", "value_cents", "local_minute")
        columns = {name: getattr(self, name) for name in names}
        for name in ("price_cents", "value_cents"):
            columns[name] = np.asarray(columns[name], dtype=np.int64)
        return columns | {"units": np.asarray(self.units, dtype=np.float64)}

    def is_type(self, name: str) -> NDArray[np.bool_]:
        """Which events are of this type; none for a type that the log does not have."""
        if name not in self.event_types:
            return np.zeros(len(self), dtype=bool)
        chosen: NDArray[np.bool_] = self.event_type == self.event_types.index(name)
        return chosen

    def until(self, time_us: int) -> EventLog:
        """The same log as it was at a time: events after it are gone, codes stay."""
        end = int(np.searchsorted(self.time_us, time_us, side="right"))
        return self._each(lambda column: column[:end])

    def take(self, rows: NDArray[np.integer[Any]]) -> EventLog:
        """Some of the events, rows ascending; codes stay."""
        return self._each(lambda column: taken(column, rows))

    def _each(self, cut: Callable[[NDArray[Any]], Any]) -> EventLog:
        return replace(
            self,
            packed=None,
            columns={
                name: replace(column, data=cut(column.data))
                for name, column in self.columns.items()
            },
            **{name: cut(getattr(self, name)) for name in ROW_COLUMNS},
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
            events: `event_type`; `user`, `item` (either may be missing in a row, or altogether);
                `time` (naive times are local to `time_zone`; the whole column may be absent);
                optional `quantity`, `price`, `value`, and further columns of numbers or texts.
            users: `user` and any attributes.
            items: `item` and any attributes.
            time_zone: the shop's, as an IANA name; months and weekdays are counted in it.

        Raises:
            InvalidEvents: a column is missing, a row has neither user nor item, a time or type is
                missing, or a time or amount cannot be read or is too large.
        """
        check_zone(time_zone)
        check_columns(events)
        has_time = "time" in events.columns
        zeros = np.zeros(len(events), dtype=np.int64)
        time_us = microseconds_of(events["time"], time_zone) if has_time else zeros
        user_ids, item_ids = (
            ids_of(events.get(name, pd.Series(None, index=events.index, dtype="str")))
            for name in ("user", "item")
        )
        if bool((user_ids.isna() & item_ids.isna()).any()):
            raise InvalidEvents("an event has neither a user nor an item: give at least one")
        if bool(events["event_type"].isna().any()):
            raise InvalidEvents("an event has no event_type: fill it in")
        user_table = Entities.of("user", pd.Index(user_ids.dropna().unique()), users)
        item_table = Entities.of("item", pd.Index(item_ids.dropna().unique()), items)
        types = pd.Categorical(events["event_type"].astype("str"))
        check_type_names(map(str, types.categories))
        amounts = Amounts.of(*(numbers_of(events, name) for name in ("quantity", "price", "value")))
        user, item = user_table.codes(user_ids), item_table.codes(item_ids)
        order = np.argsort(time_us, kind="stable")
        if has_time:
            columns = (user, item, types.codes, amounts.units)
            order = ties_broken(
                order, time_us, (*columns, amounts.price_cents, amounts.value_cents)
            )
        return cls(
            users=user_table,
            items=item_table,
            event_types=tuple(str(name) for name in types.categories),
            time_zone=time_zone,
            user=user[order],
            item=item[order],
            time_us=time_us[order],
            event_type=np.asarray(types.codes, dtype=np.int16)[order],
            units=amounts.units[order],
            price_cents=amounts.price_cents[order],
            value_cents=amounts.value_cents[order],
            has_value=amounts.has_value,
            has_quantity=amounts.has_quantity,
            has_time=has_time,
            columns={
                name: replace(column, data=column.data[order])
                for name, column in further_columns(events).items()
            },
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
