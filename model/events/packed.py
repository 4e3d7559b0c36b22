"""Events that lie side by side, so that those of some entities are picked without an index of all.

In columns every value of an event is in a cache line of its own; here all of them are in one or
two. What is picked is brought to its slots as it lies and then unpacked, block by block, so that
only the first look at an event goes to memory.
"""

# N = events, n = picked events, C = entities of a block

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled
from model.events.calendar import LocalClock
from model.events.counting import destinations
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
_VALUES = ("event_type", "units", "price_cents", "value_cents")


@dataclass(frozen=True)
class PackedEvents:
    """The events of a log, (N,) `PACKED_EVENT` in the order of rows, and the shop's clock."""

    events_N: Packed
    clock: LocalClock

    def of_entities(
        self,
        entity: Literal["user", "item"],
        first: int,
        counts_C: NDArray[np.int64],
        rows: NDArray[np.integer[Any]],
    ) -> EntityEvents:
        """The index of some entities whose codes follow each other.

        Args:
            entity: the kind.
            first: the first of them.
            counts_C: how many events each has.
            rows: (n,) where their events are, ascending.
        """
        offsets = np.zeros(len(counts_C) + 1, dtype=np.int64)
        np.cumsum(counts_C, out=offsets[1:])
        slots = np.empty(len(rows), dtype=PACKED_EVENT)
        rows_of_slots = np.empty_like(rows)
        if COMPILED:
            free = offsets[:-1].copy()
            _place(self.events_N, rows, entity == "user", first, free, slots, rows_of_slots)
        else:
            found = self.events_N[rows]
            _, to = destinations(found[entity] - first, len(counts_C))
            slots[to], rows_of_slots[to] = found, rows
        time_us = np.ascontiguousarray(slots["time_us"])
        columns = {name: np.ascontiguousarray(slots[name]) for name in _VALUES}
        return EntityEvents(
            offsets=offsets,
            first=first,
            rows=rows_of_slots,
            time_us=time_us,
            counterpart=np.ascontiguousarray(slots["item" if entity == "user" else "user"]),
            local_minute=self.clock.minutes(time_us),
            **columns,
        )


@compiled
def _place(
    events_N: Packed,
    rows: NDArray[np.integer[Any]],
    is_user: bool,
    first: int,
    free_C: NDArray[np.int64],
    slots: Packed,
    rows_of_slots: NDArray[np.integer[Any]],
) -> None:
    for n in range(len(rows)):
        event: Any = events_N[rows[n]]
        entity = (event.user if is_user else event.item) - first
        slot = free_C[entity]
        free_C[entity] = slot + 1
        slots[slot] = event
        rows_of_slots[slot] = rows[n]
