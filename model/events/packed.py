"""Events that lie side by side, so that those of some entities are read without an index of all.

In columns every value of an event is in a cache line of its own; here all of them are in one. An
index of packed events knows of each slot which event it has, and makes the columns of a stretch of
entities when it is asked for them.
"""

# N = events, E = entities, S = slots, s = slots of a stretch

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled
from model.events.calendar import MINUTE_US, QUARTER_US, LocalClock
from model.events.counting import rows_in_order
from model.events.index import EntityEvents
from model.intrinsics import prefetch

WIDE_EVENT = np.dtype(
    [
        ("time_us", np.int64),
        ("units", np.float64),
        ("price_cents", np.int64),
        ("value_cents", np.int64),
        ("user", np.int32),
        ("item", np.int32),
        ("event_type", np.int16),
    ]
)
"""The columns of a log, without room between them."""
COMPACT_EVENT = np.dtype(
    {
        "names": ["time_us", "units", "price_cents", "value_cents", "user", "item", "event_type"],
        "formats": ["i8", "f4", "i4", "i4", "i4", "i4", "i2"],
        "itemsize": 32,
    }
)
"""The same in half a cache line, for amounts that smaller types hold to the last bit."""
_LINE_BYTES = 64
_AHEAD = 32
"""So many events are being fetched while one is read."""

Packed = NDArray[np.void]


def room_for(events: int, dtype: np.dtype[np.void]) -> Packed:
    """(N,) not filled; a compact event is in one cache line."""
    size = events * dtype.itemsize
    memory = np.empty(size + _LINE_BYTES, dtype=np.uint8)
    start = -memory.ctypes.data % _LINE_BYTES
    return memory[start : start + size].view(dtype)


@dataclass(frozen=True)
class PackedEvents:
    """The events of a log.

    Attributes:
        events_N: compact or wide, in the order of rows.
        clock: the shop's.
        counts: by `user` and `item`, how many events each of them has, (E,).
    """

    events_N: Packed
    clock: LocalClock
    counts: Mapping[Literal["user", "item"], NDArray[np.int64]]

    def index(self, entity: Literal["user", "item"]) -> PackedIndex:
        """The events of each user or of each item."""
        rows = rows_in_order(self.events_N[entity], self.counts[entity])
        return PackedIndex(self, entity, *rows)


@dataclass(frozen=True)
class PackedIndex:
    """Entity e owns the slots from `offsets[e]` up to `offsets[e + 1]`.

    Attributes:
        packed: the events.
        entity: what the entities are.
        offsets: (E + 1,)
        rows: (S,) the event's row in the log.
    """

    packed: PackedEvents
    entity: Literal["user", "item"]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32] | NDArray[np.int64]

    def stretch(self, first: int, stop: int) -> EntityEvents:
        """See `EntityEvents.stretch`; the columns are made here."""
        offsets = self.offsets[first : stop + 1]
        rows = self.rows[offsets[0] : offsets[-1]]
        counterpart = "item" if self.entity == "user" else "user"
        columns = _columns(self.packed, rows, counterpart)
        return EntityEvents(offsets=offsets - offsets[0], first=first, rows=rows, **columns)


_COLUMNS = ("time_us", "event_type", "units", "price_cents", "value_cents")


def _columns(
    packed: PackedEvents, rows_s: NDArray[Any], counterpart: str
) -> dict[str, NDArray[Any]]:
    """The columns of an index."""
    if not COMPILED:
        found = packed.events_N[rows_s]
        names = {name: name for name in _COLUMNS} | {"counterpart": counterpart}
        columns = {
            name: np.ascontiguousarray(found[field], dtype=WIDE_EVENT[field])
            for name, field in names.items()
        }
        return columns | {"local_minute": packed.clock.minutes(columns["time_us"])}
    columns = {name: np.empty(len(rows_s), dtype=WIDE_EVENT[name]) for name in _COLUMNS}
    columns |= {name: np.empty(len(rows_s), np.int32) for name in ("counterpart", "local_minute")}
    _unpack(
        packed.events_N,
        rows_s,
        counterpart == "item",
        packed.clock.ahead_us,
        packed.clock.first_quarter,
        columns["time_us"],
        columns["counterpart"],
        columns["event_type"],
        columns["units"],
        columns["price_cents"],
        columns["value_cents"],
        columns["local_minute"],
    )
    return columns


@compiled
def _unpack(
    events_N: Packed,
    rows_s: NDArray[Any],
    is_item: bool,
    ahead_us: NDArray[np.int64],
    first_quarter: int,
    time_us_s: NDArray[np.int64],
    counterpart_s: NDArray[np.int32],
    event_type_s: NDArray[np.int16],
    units_s: NDArray[np.float64],
    price_cents_s: NDArray[np.int64],
    value_cents_s: NDArray[np.int64],
    local_minute_s: NDArray[np.int32],
) -> None:
    slots = len(rows_s)
    for slot in range(slots):
        prefetch(events_N, rows_s[min(slot + _AHEAD, slots - 1)])
        event: Any = events_N[rows_s[slot]]
        time_us = event.time_us
        time_us_s[slot] = time_us
        counterpart_s[slot] = event.item if is_item else event.user
        event_type_s[slot] = event.event_type
        units_s[slot] = event.units
        price_cents_s[slot] = event.price_cents
        value_cents_s[slot] = event.value_cents
        if len(ahead_us):
            time_us += ahead_us[time_us // QUARTER_US - first_quarter]
        local_minute_s[slot] = time_us // MINUTE_US
