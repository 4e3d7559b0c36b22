"""Events that lie side by side, so that those of some entities are read without an index of all.

In columns every value of an event is in a cache line of its own; here all of them are in one or
two. An index of packed events knows of each slot which event it has, and makes the columns of a
stretch of entities when it is asked for them.
"""

# N = events, E = entities, S = slots, s = slots of a stretch

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled
from model.events.calendar import LocalClock
from model.events.counting import rows_in_order
from model.events.index import EntityEvents

PACKED_EVENT = np.dtype(
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

Packed = NDArray[np.void]


@dataclass(frozen=True)
class PackedEvents:
    """The events of a log, (N,) `PACKED_EVENT` in the order of rows, and the shop's clock."""

    events_N: Packed
    clock: LocalClock

    def index(self, entity: Literal["user", "item"], entities: int) -> PackedIndex:
        """The events of each user or of each item."""
        return PackedIndex(self, entity, *rows_in_order(self.events_N[entity], entities))


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
        columns = _columns(self.packed.events_N, rows, counterpart)
        return EntityEvents(
            offsets=offsets - offsets[0],
            first=first,
            rows=rows,
            local_minute=self.packed.clock.minutes(columns["time_us"]),
            **columns,
        )


_NAMES = ("time_us", "event_type", "units", "price_cents", "value_cents")


def _columns(events_N: Packed, rows_s: NDArray[Any], counterpart: str) -> dict[str, NDArray[Any]]:
    """The columns of an index."""
    if not COMPILED:
        found = events_N[rows_s]
        names = {name: name for name in _NAMES} | {"counterpart": counterpart}
        return {name: np.ascontiguousarray(found[field]) for name, field in names.items()}
    columns = {name: np.empty(len(rows_s), dtype=PACKED_EVENT[name]) for name in _NAMES}
    columns["counterpart"] = np.empty(len(rows_s), dtype=np.int32)
    _unpack(
        events_N,
        rows_s,
        counterpart == "item",
        columns["time_us"],
        columns["counterpart"],
        columns["event_type"],
        columns["units"],
        columns["price_cents"],
        columns["value_cents"],
    )
    return columns


@compiled
def _unpack(
    events_N: Packed,
    rows_s: NDArray[Any],
    is_item: bool,
    time_us_s: NDArray[np.int64],
    counterpart_s: NDArray[np.int32],
    event_type_s: NDArray[np.int16],
    units_s: NDArray[np.float64],
    price_cents_s: NDArray[np.int64],
    value_cents_s: NDArray[np.int64],
) -> None:
    for slot in range(len(rows_s)):
        event: Any = events_N[rows_s[slot]]
        time_us_s[slot] = event.time_us
        counterpart_s[slot] = event.item if is_item else event.user
        event_type_s[slot] = event.event_type
        units_s[slot] = event.units
        price_cents_s[slot] = event.price_cents
        value_cents_s[slot] = event.value_cents
