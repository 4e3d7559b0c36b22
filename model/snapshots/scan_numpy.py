"""The scan in NumPy, for where there is no compiler, and to check the compiled one by.

The events of all rows are laid side by side, each row's newest first, and every tally is a
`bincount` over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.events import EntityEvents
from model.snapshots.scan import (
    BY_COUNTERPART,
    BY_DAY,
    NEVER_US,
    ONES,
    RECENT_EVENTS,
    TYPED,
    UNTYPED,
    ScanRows,
    ScanTables,
)

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
_AT_ONCE = 1_000_000
"""Events that are laid side by side."""


def fill(
    tables: ScanTables,
    events: EntityEvents,
    rows: ScanRows,
    totals: Floats,
    recent: NDArray[np.int32],
) -> None:
    """Fill `totals` (zeros) and `recent` (-1); see `scan_kernel.fill`."""
    for part in _parts(rows):
        walk = _Walk(tables, events, rows, part, totals[part])
        walk.typed()
        walk.since()
        walk.visits()
        walk.prices()
        walk.units()
        walk.counterparts(recent[part])
        for histogram in tables.histograms:
            walk.histogram(histogram)
        walk.windows()


def _parts(rows: ScanRows) -> Iterator[slice]:
    """Rows with about `_AT_ONCE` events together; a row with more stands alone."""
    counts = np.maximum(rows.ends - rows.starts, 0)
    chunk = np.cumsum(counts) // _AT_ONCE
    edges = np.flatnonzero(np.diff(chunk, prepend=-1))
    for start, end in pairwise([*edges.tolist(), len(rows)]):
        yield slice(start, end)


class _Walk:
    """The events of some rows, each row's newest first."""

    def __init__(
        self,
        tables: ScanTables,
        events: EntityEvents,
        rows: ScanRows,
        part: slice,
        totals: Floats,
    ) -> None:
        counts = np.maximum(rows.ends[part] - rows.starts[part], 0)
        firsts = np.cumsum(counts) - counts
        self.tables, self.events, self.totals = tables, events, totals
        self.places = tables.layout.places
        self.buckets = tables.layout.buckets
        self.types = len(tables.layout.event_types)
        self.row = np.repeat(np.arange(len(counts)), counts)
        self.rank = np.arange(len(self.row)) - firsts[self.row]
        self.slot = (rows.ends[part] - 1)[self.row] - self.rank
        self.age_us = rows.cutoffs_us[part][self.row] - events.time_us[self.slot]
        self.bucket = np.searchsorted(tables.edges_us, self.age_us, side="right")
        self.kind = tables.type_codes[events.event_type[self.slot]]
        self.day = events.local_minute[self.slot].astype(np.int64) // 1440
        self.counterpart = events.counterpart[self.slot]

    def add(self, chosen: Longs, columns: Longs | int, amounts: Floats | float) -> None:
        """Add amounts of the chosen events to columns of their rows."""
        flat = self.row[chosen] * self.totals.shape[1] + columns
        weights = np.broadcast_to(np.asarray(amounts, dtype=np.float64), flat.shape)
        size = self.totals.size
        self.totals += np.bincount(flat, weights, size).reshape(self.totals.shape)

    def put_first(self, chosen: Longs, column: int, numbers: NDArray[np.generic]) -> None:
        """Write the number of each row's newest chosen event."""
        rows, first = np.unique(self.row[chosen], return_index=True)
        self.totals[rows, column] = numbers[chosen[first]]

    def typed(self) -> None:
        """Events, units and money per type and bucket."""
        known = np.flatnonzero(self.kind < self.types)
        here = self.kind[known] * self.buckets + self.bucket[known]
        slots = self.slot[known]
        amounts: dict[str, Floats | float] = {"events": 1.0}
        if self.places.units >= 0:
            amounts["units"] = self.events.units[slots]
        if self.places.value_cents >= 0:
            amounts["value_cents"] = self.events.value_cents[slots].astype(np.float64)
        for name, amount in amounts.items():
            place = getattr(self.places, name)
            if place >= 0:
                self.add(known, place + here, amount)

    def since(self) -> None:
        """The time since the last event, of any type and of each, and since the first."""
        self.totals[:, self.places.since : self.places.since + self.types + 1] = NEVER_US
        everything = np.arange(len(self.row))
        self.put_first(everything, self.places.since, self.age_us)
        for kind in range(self.types):
            of_kind = np.flatnonzero(self.kind == kind)
            self.put_first(of_kind, self.places.since + 1 + kind, self.age_us)
        self.put_first(everything[::-1], self._one("since_first_us"), self.age_us)

    def visits(self) -> None:
        """Days with an event, each at its last one, and the days between them."""
        is_visit = np.ones(len(self.row), dtype=bool)
        is_visit[1:] = (self.row[1:] != self.row[:-1]) | (self.day[1:] != self.day[:-1])
        visits = np.flatnonzero(is_visit)
        if self.places.visits >= 0:
            self.add(visits, self.places.visits + self.bucket[visits], 1.0)
        older, newer = visits[1:], visits[:-1]
        same = self.row[older] == self.row[newer]
        older, newer = older[same], newer[same]
        gaps = np.zeros(len(self.row))
        gaps[older] = self.day[newer] - self.day[older]
        self.add(older, self._one("gap_days"), gaps[older])
        self.add(older, self._one("gap_squares"), gaps[older] * gaps[older])
        self.totals[:, self._one("last_gap_days")] = np.nan
        self.put_first(older, self._one("last_gap_days"), gaps)

    def prices(self) -> None:
        """Prices where there are some."""
        prices = self.events.price_cents[self.slot].astype(np.float64)
        is_asked = self.places.price_cents >= 0
        priced = np.flatnonzero(prices >= 0) if is_asked else np.zeros(0, dtype=np.int64)
        names = ("last_price_cents", "least_price_cents", "greatest_price_cents")
        self._extremes(priced, prices, *names)
        if is_asked:
            bucket = self.bucket[priced]
            self.add(priced, self.places.price_cents + bucket, prices[priced])
            self.add(priced, self.places.priced_events + bucket, 1.0)

    def units(self) -> None:
        """The last and the greatest quantity."""
        units = self.events.units[self.slot]
        chosen = np.flatnonzero(self.tables.has_units[self.kind])
        self._extremes(chosen, units, "last_units", None, "greatest_units")

    def counterparts(self, recent: NDArray[np.int32]) -> None:
        """Different counterparts, each at its last meeting, and those of the last events."""
        present = np.flatnonzero(self.counterpart >= 0)
        if self.places.counterparts >= 0:
            packed = (self.row[present] << 32) | self.counterpart[present]
            met = present[np.unique(packed, return_index=True)[1]]
            self.add(met, self.places.counterparts + self.bucket[met], 1.0)
        if self.places.recent >= 0:
            row = self.row[present]
            before = np.searchsorted(row, np.arange(len(self.totals)))
            rank = np.arange(len(row)) - before[row]
            near = rank < RECENT_EVENTS
            recent[row[near], rank[near]] = self.counterpart[present[near]]
            self.totals[:, self.places.recent] = (recent >= 0).sum(axis=1)

    def histogram(self, histogram: Longs) -> None:
        """Events or units by bins."""
        place, table, kind, of_units, back, source = histogram.tolist()
        is_chosen = self.bucket <= back
        if kind >= 0:
            is_chosen &= self.kind == kind
        if source == BY_COUNTERPART:
            is_chosen &= self.counterpart >= 0
        chosen = np.flatnonzero(is_chosen)
        slots = self.slot[chosen]
        if source == BY_DAY:
            day = np.clip(self.day[chosen] - self.tables.first_day, 0, None)
            days = self.tables.day_codes.shape[1]
            codes = self.tables.day_codes[table, np.minimum(day, days - 1)].astype(np.int64)
        elif source == BY_COUNTERPART:
            known = self.tables.counterpart_codes[table]
            met = self.counterpart[chosen]
            is_there = met < len(known)  # else one that came after the tables
            codes = np.where(is_there, known[np.where(is_there, met, 0)], -1).astype(np.int64)
        else:
            codes = self.events.local_minute[slots].astype(np.int64) % 1440 // 60
        amounts = np.maximum(self.events.units[slots], 0) if of_units else np.ones(len(chosen))
        self.add(chosen, place, amounts)
        known_code = codes >= 0
        self.add(chosen[known_code], place + 1 + codes[known_code], amounts[known_code])

    def windows(self) -> None:
        """A running sum over the buckets: what a window holds."""
        for name in (*TYPED, *UNTYPED):
            place = getattr(self.places, name)
            if place >= 0:
                columns = self.buckets * (self.types if name in TYPED else 1)
                section = self.totals[:, place : place + columns]
                shape = (len(section), -1, self.buckets)
                section[:] = section.reshape(shape).cumsum(axis=2).reshape(section.shape)

    def _extremes(
        self, chosen: Longs, numbers: Floats, last: str, least: str | None, greatest: str
    ) -> None:
        for name in (last, least, greatest):
            if name is not None:
                self.totals[:, self._one(name)] = np.nan
        self.put_first(chosen, self._one(last), numbers)
        row = self.row[chosen]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        if not len(starts):
            return
        if least is not None:
            found = np.minimum.reduceat(numbers[chosen], starts)
            self.totals[row[starts], self._one(least)] = found
        found = np.maximum.reduceat(numbers[chosen], starts)
        self.totals[row[starts], self._one(greatest)] = found

    def _one(self, name: str) -> int:
        return self.places.ones + ONES.index(name)
