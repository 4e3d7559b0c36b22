"""The past of each entity as columns in slot order, with prefix sums over them.

A total over any window of any entity is the difference of two entries of a prefix sum, exact since
the summands are integers or small multiples of a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, EntityEvents, EventLog
from model.events.calendar import local_days

Measure = Literal["events", "units", "value_cents", "days", "price_cents", "priced_events"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Which entities are looked at, and when: entity codes (R,) and their cutoff (one for all)."""

    entities: NDArray[np.int64]
    cutoff_us: int

    def __len__(self) -> int:
        return len(self.entities)


@dataclass
class History:
    """The events of each entity of one kind.

    `counterpart` is what the entity interacted with, per event of the log: the items of users, the
    users of items.
    """

    log: EventLog
    index: EntityEvents
    counterpart: NDArray[np.int32]
    _prefix_sums: dict[tuple[Measure, str | None], Floats] = field(default_factory=dict)
    _neighbours: dict[tuple[str, str | None], Ints] = field(default_factory=dict)

    @cached_property
    def entity(self) -> Ints:
        """The entity of each slot."""
        return np.repeat(np.arange(len(self.index)), np.diff(self.index.offsets))

    @cached_property
    def day(self) -> Ints:
        """The day of each slot by the shop's calendar, counted from 1970."""
        return local_days(self.index.time_us, self.log.time_zone)

    def is_type(self, event_type: str | None) -> NDArray[np.bool_]:
        """Which slots are of this type; all for None."""
        if event_type is None:
            return np.ones(len(self.index.rows), dtype=bool)
        return self.log.is_type(event_type)[self.index.rows]

    def start(self, rows: Rows, window_days: float | None) -> Ints:
        """The first slot within the window that ends at the cutoff; None is all the past."""
        if window_days is None:
            return self.index.offsets[rows.entities]
        opens_us = rows.cutoff_us - int(window_days * MICROSECONDS_PER_DAY)
        return self.index.position(rows.entities, opens_us)

    def end(self, rows: Rows, ahead_days: float = 0) -> Ints:
        """The first slot after the cutoff, or after some days more."""
        closes_us = rows.cutoff_us + int(ahead_days * MICROSECONDS_PER_DAY)
        return self.index.position(rows.entities, closes_us)

    def prefix_sum(self, measure: Measure, event_type: str | None) -> Floats:
        """(slots + 1,) running total of a measure over the slots of a type."""
        key = (measure, event_type)
        if key not in self._prefix_sums:
            amounts = np.where(self.is_type(event_type), self._amounts(measure, event_type), 0)
            self._prefix_sums[key] = np.concatenate([[0.0], np.cumsum(amounts, dtype=np.float64)])
        return self._prefix_sums[key]

    def _amounts(self, measure: Measure, event_type: str | None) -> NDArray[np.generic]:
        rows = self.index.rows
        match measure:
            case "events":
                return np.ones(len(rows), dtype=np.int64)
            case "units":
                return self.log.units[rows]
            case "value_cents":
                return self.log.value_cents[rows]
            case "price_cents":
                return np.maximum(self.log.price_cents[rows], 0)
            case "priced_events":
                return self.log.price_cents[rows] >= 0
            case "days":
                return self.opens_day(event_type)

    def opens_day(self, event_type: str | None) -> NDArray[np.bool_]:
        """Which slots are the first of their type, entity and day."""
        chosen = np.flatnonzero(self.is_type(event_type))
        entity, day = self.entity[chosen], self.day[chosen]
        opens = np.ones(len(chosen), dtype=bool)
        opens[1:] = (entity[1:] != entity[:-1]) | (day[1:] != day[:-1])
        flags = np.zeros(len(self.index.rows), dtype=bool)
        flags[chosen] = opens
        return flags

    def active_days(self, event_type: str | None, start: Ints, end: Ints) -> Floats:
        """How many days have an event of a type in the slots from `start` up to `end`."""
        sums = self.prefix_sum("days", event_type)
        # The first day counts too when it began before `start` and goes on after it.
        first = self.next_slot(event_type)[start]
        opens = sums[np.minimum(first + 1, len(sums) - 1)] - sums[first]
        days: Floats = sums[end] - sums[start] + np.where(first < end, 1 - opens, 0)
        return days

    def last_slot(self, event_type: str | None) -> Ints:
        """(slots + 1,) the last slot of a type before each position, -1 for none."""
        key = ("last", event_type)
        if key not in self._neighbours:
            slots = np.where(self.is_type(event_type), np.arange(len(self.index.rows)), -1)
            self._neighbours[key] = np.concatenate([[-1], np.maximum.accumulate(slots)])
        return self._neighbours[key]

    def next_slot(self, event_type: str | None) -> Ints:
        """(slots + 1,) the first slot of a type from each position on; for none, how many slots."""
        key = ("next", event_type)
        if key not in self._neighbours:
            size = len(self.index.rows)
            slots = np.where(self.is_type(event_type), np.arange(size), size)
            behind = np.minimum.accumulate(slots[::-1])[::-1]
            self._neighbours[key] = np.concatenate([behind, [size]])
        return self._neighbours[key]

    @cached_property
    def next_same_us(self) -> Ints:
        """(slots,) when the entity meets the same counterpart again; never is far ahead."""
        counterpart = self.counterpart[self.index.rows].astype(np.int64)
        slots = np.arange(len(counterpart))
        order = np.lexsort((slots, counterpart, self.entity))
        same = (counterpart[order][1:] == counterpart[order][:-1]) & (
            self.entity[order][1:] == self.entity[order][:-1]
        )
        next_us = np.full(len(counterpart), np.iinfo(np.int64).max, dtype=np.int64)
        next_us[order[:-1][same]] = self.index.time_us[order[1:][same]]
        return next_us

    def distinct_counterparts(self, cutoff_us: int) -> Floats:
        """(slots + 1,) running count of the counterparts that are not met again by the cutoff.

        Between the start of a window and the cutoff it counts the distinct counterparts: each is
        counted at its last meeting.
        """
        present = self.counterpart[self.index.rows] >= 0
        last = present & (self.index.time_us <= cutoff_us) & (self.next_same_us > cutoff_us)
        return np.concatenate([[0.0], np.cumsum(last, dtype=np.float64)])


def user_history(log: EventLog) -> History:
    """The events of each user."""
    return History(log, log.user_events, log.item)


def item_history(log: EventLog) -> History:
    """The events of each item."""
    return History(log, log.item_events, log.user)
