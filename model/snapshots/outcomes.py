"""What happens to some entities within a window of time, for any choice of events.

The log is in the order of time, so the events of a window are a range of its rows, and those of
them that a target looks at are a slice of its choice (`model.snapshots.choices`). Totals per entity
are sums of integers or small multiples of a power of two, so they are exact in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, EventLog
from model.snapshots.choices import RowNumbers
from model.tasks import EntityKind

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_MINUTES_PER_DAY = 1440
_MAX_CELLS = 2**27
"""So many (entity, day) cells are marked at once; beyond them days are sorted."""


@dataclass(frozen=True)
class Asked:
    """Entities of one kind at one cutoff; a user has no item, an item no user."""

    entity: EntityKind
    users: Codes
    items: Codes
    cutoff_us: int

    def __len__(self) -> int:
        return len(self.items if self.entity == "item" else self.users)

    @property
    def keys(self) -> Codes:
        """(R,) the user, the item, or both in one number."""
        match self.entity:
            case "user":
                return self.users
            case "item":
                return self.items
            case "pair":
                return self.users << 32 | self.items


@dataclass(frozen=True)
class Happened:
    """The chosen events of a window that belong to someone who was asked, in the order of time.

    Attributes:
        rows: (M,) rows of the log.
        owner: (M,) whose event it is: a position among the distinct entities asked.
    """

    rows: RowNumbers
    owner: NDArray[np.int64]


class Outcomes:
    """Answers what happens to the entities of `asked` in windows around their cutoff.

    Args:
        log: the events.
        asked: who, and at which cutoff.
    """

    def __init__(self, log: EventLog, asked: Asked) -> None:
        self.log = log
        self.asked = asked
        self._keys, self._row_of = np.unique(asked.keys, return_inverse=True)
        self._owners: dict[tuple[int, int], tuple[int, NDArray[np.int32]]] = {}

    def of_rows(self, values: Floats) -> Floats:
        """(R,) or (R, n) from what was found per distinct entity."""
        return values[self._row_of]

    def happened(self, choice: RowNumbers, after_us: int, until_us: int) -> Happened:
        """The events of a choice with `after < t <= until`."""
        first, owner = self._owner(after_us, until_us)
        # In the type of the rows: else all of them would be cast.
        bounds = np.array([first, first + len(owner)], dtype=choice.dtype)
        start, end = np.searchsorted(choice, bounds)
        rows = choice[start:end]
        owner = owner[rows - first]
        own = owner >= 0
        return Happened(rows[own], owner[own].astype(np.int64))

    def total(self, found: Happened, amounts: Floats | None = None) -> Floats:
        """(R,) how many events there are, or the sum of their amounts (M,)."""
        totals = np.bincount(found.owner, weights=amounts, minlength=len(self._keys))
        return self.of_rows(totals.astype(np.float64))

    def totals(
        self, found: Happened, cell: NDArray[np.int64], cells: int, amounts: Floats
    ) -> Floats:
        """(R, cells) the sum of the amounts (M,) in each cell."""
        flat = np.bincount(
            found.owner * cells + cell, weights=amounts, minlength=len(self._keys) * cells
        )
        return self.of_rows(flat.astype(np.float64).reshape(-1, cells))

    def days(self, found: Happened) -> Floats:
        """(R,) on how many days of the shop's calendar there is an event."""
        if not len(found.rows):
            return np.zeros(len(self.asked))
        day = self.log.local_minute[found.rows].astype(np.int64) // _MINUTES_PER_DAY
        day -= day.min()
        width = int(day.max()) + 1
        cell = found.owner * width + day
        if len(self._keys) * width > _MAX_CELLS:
            cell = np.unique(cell)
        else:
            marked = np.zeros(len(self._keys) * width, dtype=bool)
            marked[cell] = True
            cell = np.flatnonzero(marked)
        days = np.bincount(cell // width, minlength=len(self._keys))
        return self.of_rows(days.astype(np.float64))

    def first(self, found: Happened) -> NDArray[np.int64]:
        """(R,) the row of the first event in the log, -1 for none."""
        first = np.full(len(self._keys), len(found.rows), dtype=np.int64)
        np.minimum.at(first, found.owner, np.arange(len(found.rows)))
        rows = np.append(found.rows, -1)
        return rows[first][self._row_of]

    def _owner(self, after_us: int, until_us: int) -> tuple[int, NDArray[np.int32]]:
        """The first row of a window, and whose event each of its rows is, -1 for nobody's."""
        window = (after_us, until_us)
        if window not in self._owners:
            first, end = np.searchsorted(self.log.time_us, window, side="right").tolist()
            self._owners[window] = first, self._owner_of(slice(first, max(first, end)))
        return self._owners[window]

    def _owner_of(self, rows: slice) -> NDArray[np.int32]:
        if self.asked.entity != "pair":
            of_user = self.asked.entity == "user"
            entities = len(self.log.users if of_user else self.log.items)
            codes = (self.log.user if of_user else self.log.item)[rows]
            owner_of = np.full(entities + 1, -1, dtype=np.int32)  # the last one is for code -1
            owner_of[self._keys] = np.arange(len(self._keys), dtype=np.int32)
            return owner_of[codes]
        user, item = self.log.user[rows].astype(np.int64), self.log.item[rows]
        packed = np.where((user >= 0) & (item >= 0), user << 32 | item, -1)
        found = np.minimum(np.searchsorted(self._keys, packed), max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.full(len(packed), -1, dtype=np.int32)
        return np.where(self._keys[found] == packed, found, -1).astype(np.int32)


def days_us(days: float) -> int:
    """Days in microseconds."""
    return int(days * MICROSECONDS_PER_DAY)
