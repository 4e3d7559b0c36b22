"""The events of each entity, side by side and in the order of the log: CSR layout.

Whether an event is before or after a cutoff is decided in one place, `EntityEvents.position`:
an event at the cutoff itself is before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events.counting import destinations, moved
from model.events.searching import first_after

Codes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class EntityEvents:
    """Entity `first + e` owns the slots from `offsets[e]` up to `offsets[e + 1]`.

    Events without an entity have no slot.

    Attributes:
        offsets: (E + 1,)
        rows: (N,) the event's row in the log.
        time_us: (N,) this and what follows are the log's columns in the order of slots.
        counterpart: (N,) the other side: the item of a user or pair, the user of an item; -1 for
            none.
        event_type: (N,) code of its type.
        units: (N,)
        price_cents: (N,) -1 where absent.
        value_cents: (N,)
        local_minute: (N,) minutes since 1970 by the shop's clocks.
        first: the code of the first entity: an index may have a stretch of them alone.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32] | NDArray[np.int64]
    time_us: NDArray[np.int64]
    counterpart: NDArray[np.int32]
    event_type: NDArray[np.int16]
    units: NDArray[np.float64]
    price_cents: NDArray[np.int64]
    value_cents: NDArray[np.int64]
    local_minute: NDArray[np.int32]
    first: int = 0

    @classmethod
    def build(
        cls,
        codes: Codes,
        entities: int,
        counterpart: NDArray[np.int32],
        columns: Mapping[str, NDArray[Any]],
    ) -> EntityEvents:
        """Put the events side by side.

        Args:
            codes: (rows,) entity of each event of the log, -1 for none.
            entities: E.
            counterpart: (rows,)
            columns: the log's columns, (rows,) each, by the names of the attributes.
        """
        offsets, to = destinations(codes, entities)
        return cls.laid_out(offsets, to, counterpart, columns)

    @classmethod
    def laid_out(
        cls,
        offsets: NDArray[np.int64],
        to: NDArray[np.int64],
        counterpart: NDArray[np.int32],
        columns: Mapping[str, NDArray[Any]],
    ) -> EntityEvents:
        """Bring the log's columns to the slots `to`, (rows,), -1 for none; see `build`."""
        rows = np.arange(len(to), dtype=row_type(len(to)))
        sources = {**columns, "rows": rows, "counterpart": counterpart}
        in_slots = {name: moved(sources[name], to, int(offsets[-1])) for name in SLOT_COLUMNS}
        return cls(offsets=offsets, first=0, **in_slots)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def position(self, entities: Codes, cutoff_us: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """The first slot of each entity that is after the cutoff.

        Args:
            entities: (R,) codes.
            cutoff_us: (R,) or one.

        Returns:
            (R,) slots; the entity's events at or before the cutoff are those from
            that of `starts` up to it.
        """
        if not isinstance(cutoff_us, np.ndarray):
            cutoff_us = np.full(len(entities), cutoff_us, dtype=np.int64)
        codes = np.ascontiguousarray(entities, dtype=np.int64)
        places = codes - self.first if self.first else codes
        return first_after(self.offsets, self.time_us, places, np.ascontiguousarray(cutoff_us))

    def starts(self, entities: Codes) -> NDArray[np.int64]:
        """(R,) the first slot of each entity (R,)."""
        return self.offsets[entities - self.first if self.first else entities]

    def is_sooner_gathered(self, entities: Codes) -> bool:  # noqa: ARG002 (what is stored decides)
        """Whether `gathered` of these is sooner read than this one at their places."""
        return False

    def gathered(self, entities: Codes) -> EntityEvents:
        """The events of these alone: entity r has those of the r-th code; -1 has none."""
        starts, counts = self._places(entities)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return EntityEvents(offsets=offsets, first=0, **self._columns_of(starts, counts))

    def _places(self, entities: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the slots of each begin, and how many they are; none of whom this does not know."""
        if not len(self):
            none = np.zeros(len(entities), dtype=np.int64)
            return none, none
        is_known = (entities >= 0) & (entities < len(self))
        codes = np.where(is_known, entities, 0)
        starts = self.offsets[codes]
        return starts, np.where(is_known, self.offsets[codes + 1] - starts, 0)

    def _columns_of(
        self, starts: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Columns of so many slots from each of the starts on."""
        before = np.cumsum(counts) - counts
        slots = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
        return {name: getattr(self, name)[slots] for name in SLOT_COLUMNS}

    def stretch(self, first: int, stop: int) -> EntityEvents:
        """The entities from `first` up to `stop` alone; columns are not copied."""
        offsets = self.offsets[first - self.first : stop - self.first + 1]
        slots = slice(int(offsets[0]), int(offsets[-1]))
        columns = {name: getattr(self, name)[slots] for name in SLOT_COLUMNS}
        return EntityEvents(offsets=offsets - offsets[0], first=first, **columns)


SLOT_COLUMNS = tuple(f.name for f in fields(EntityEvents) if f.name not in {"offsets", "first"})
"""What an index has per slot, in the order of storage."""


@dataclass(frozen=True)
class PairEvents:
    """The pairs of a user and an item that have events together, and their events.

    Attributes:
        events: the entities are the pairs, in the order of (user, item).
        pairs: (P,) user code << 32 | item code, ascending.
    """

    events: EntityEvents
    pairs: NDArray[np.int64]

    @classmethod
    def build(
        cls, user: NDArray[np.int32], item: NDArray[np.int32], columns: Mapping[str, NDArray[Any]]
    ) -> PairEvents:
        """Put the events that have both a user and an item side by side; see `EntityEvents`."""
        rows = _rows_by(np.where(user >= 0, item, -1))
        rows = rows[_rows_by(user[rows])]  # by user, and among those of a user by item
        packed = packed_pairs(user[rows], item[rows])
        starts = np.flatnonzero(np.diff(packed, prepend=-1))
        to = np.full(len(user), -1, dtype=np.int64)
        to[rows] = np.arange(len(rows))
        offsets = np.append(starts, len(rows))
        return cls(EntityEvents.laid_out(offsets, to, item, columns), packed[starts])

    def codes(self, user: Codes, item: Codes) -> NDArray[np.int64]:
        """The codes of these pairs in `events`, -1 for a pair without events."""
        packed = packed_pairs(user, item)
        if not len(self.pairs):
            return np.full(len(packed), -1, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.pairs, packed), len(self.pairs) - 1)
        return np.where((self.pairs[found] == packed) & (packed >= 0), found, -1)


def packed_pairs(user: Codes, item: Codes) -> NDArray[np.int64]:
    """(N,) one number per pair, in the order of (user, item); -1 where either is missing."""
    packed: NDArray[np.int64] = (user.astype(np.int64) << 32) | item
    return np.where((user >= 0) & (item >= 0), packed, -1)


def _rows_by(codes: Codes) -> NDArray[np.int64]:
    """The rows that have a code, by (code, row)."""
    offsets, to = destinations(codes, int(codes.max(initial=-1)) + 1)
    return moved(np.arange(len(codes)), to, int(offsets[-1]))


def row_type(rows: int) -> type[np.int32] | type[np.int64]:
    """The smallest type for the rows of a log."""
    return np.int32 if rows < 2**31 else np.int64
