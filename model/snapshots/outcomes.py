"""What happens to some entities within a window of time, for any choice of events.

The events of an entity stand side by side in the order of time, so those of a window are a range of
slots, and those of them that a target looks at are a range of its choice
(`model.snapshots.choices`). Totals are differences of running totals over the choice: of whole
numbers, so they are exact.
"""

# R = rows, K = chosen events, M = chosen events within the windows

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, EntityEvents
from model.events.index import row_type
from model.events.searching import places_from
from model.snapshots.choices import Places
from model.tasks import EntityKind

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
_MINUTES_PER_DAY = 1440


@dataclass(frozen=True)
class Asked:
    """Rows of one entity kind; a user has no item, an item no user.

    Attributes:
        entity: the kind.
        users: (R,) codes.
        items: (R,) codes.
        cutoffs_us: (R,)
    """

    entity: EntityKind
    users: Longs
    items: Longs
    cutoffs_us: Longs

    def __len__(self) -> int:
        return len(self.cutoffs_us)


@dataclass(frozen=True)
class Happened:
    """The chosen events in each row's window: a range of the choice.

    Attributes:
        choice: (K,) slots, ascending.
        starts: (R,) places in the choice.
        stops: (R,) no less than `starts`.
    """

    choice: Places
    starts: Longs
    stops: Longs

    @property
    def counts(self) -> Longs:
        """(R,) how many events there are."""
        return self.stops - self.starts

    @property
    def first(self) -> Longs:
        """(R,) the slot of the first event, -1 for none."""
        some = np.flatnonzero(self.starts < self.stops)
        slots = np.full(len(self.starts), -1, dtype=np.int64)
        slots[some] = self.choice[self.starts[some]]
        return slots

    def total(self, amounts_K: Longs) -> Longs:
        """(R,) the sum of the events' amounts."""
        running = np.zeros(len(self.choice) + 1, dtype=np.int64)
        np.cumsum(amounts_K, out=running[1:])
        return running[self.stops] - running[self.starts]

    def one_by_one(self) -> tuple[Longs, Longs]:
        """(M,) the row and (M,) the slot of every event; rows ascending."""
        counts = self.counts
        rows = np.repeat(np.arange(len(counts)), counts)
        before = np.cumsum(counts) - counts
        places = np.arange(len(rows)) + (self.starts - before)[rows]
        return rows, self.choice[places].astype(np.int64)


class Outcomes:
    """Answers what happens to the entities of some rows in windows around their cutoffs.

    Args:
        events: the index of the kind that is asked about.
        codes: (R,) entities of the index, -1 for one that has no events.
        asked: the rows.
    """

    def __init__(self, events: EntityEvents, codes: Longs, asked: Asked) -> None:
        self.events = events
        self.asked = asked
        self._there = np.flatnonzero(codes >= 0)
        self._codes = codes[self._there]
        self._slots: dict[tuple[int, int | None], Places] = {}

    def happened(
        self, choice: Places, after_us: int, until_us: int, end_us: int | None = None
    ) -> Happened:
        """The events of a choice with `cutoff + after < t <= cutoff + until`.

        Args:
            choice: (K,) slots of the index.
            after_us: from the cutoffs on, negative for before them.
            until_us: likewise.
            end_us: no event after this moment.
        """
        starts = places_from(choice, self._first_after(after_us))
        stops = places_from(choice, self._first_after(until_us, end_us))
        return Happened(choice, starts, np.maximum(starts, stops))

    def days(self, found: Happened) -> Longs:
        """(R,) on how many days of the shop's calendar there is an event."""
        if not len(found.choice):
            return np.zeros(len(self.asked), dtype=np.int64)
        day = self.events.local_minute[found.choice] // _MINUTES_PER_DAY
        running = np.cumsum(np.diff(day, prepend=day[:1]) != 0)
        last = len(day) - 1
        days = 1 + running[found.stops - 1] - running[np.minimum(found.starts, last)]
        return np.where(found.starts < found.stops, days, 0)

    def _first_after(self, ahead_us: int, end_us: int | None = None) -> Places:
        """(R,) the first slot after the cutoff and so long more; of nobody any.

        In the type of choices: else all of a choice would be cast to find a place in it.
        """
        key = (ahead_us, end_us)
        if key not in self._slots:
            moments_us = self.asked.cutoffs_us[self._there] + ahead_us
            if end_us is not None:
                moments_us = np.minimum(moments_us, end_us)
            slots = np.zeros(len(self.asked), dtype=row_type(len(self.events.time_us)))
            slots[self._there] = self.events.position(self._codes, moments_us)
            self._slots[key] = slots
        return self._slots[key]


def days_us(days: float) -> int:
    """So many days in microseconds."""
    return int(days * MICROSECONDS_PER_DAY)
