"""The events of each entity, side by side and in the order of time (CSR layout).

Whether an event is before or after a cutoff is decided in one place, `EntityIndex.position`:
an event at the cutoff itself is before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SECOND_US = 1_000_000
_SECONDS_BITS = 33  # 272 years


@dataclass(frozen=True)
class EntityIndex:
    """CSR over the log: entity e owns the slots `offsets[e]` to `offsets[e + 1]`.

    `rows[slot]` is the event's row in the log, `time_us[slot]` its time. Events without such an
    entity have no slot.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]
    time_us: NDArray[np.int64]
    _keys: NDArray[np.int64]
    _origin_us: int

    @classmethod
    def build(
        cls, codes: NDArray[np.integer], entities: int, time_us: NDArray[np.int64]
    ) -> EntityIndex:
        """Index the events by their entity's code, -1 for none.

        Args:
            codes: (N,) entity of each event, in the log's order of time.
            entities: how many entities there are.
            time_us: (N,) microseconds, ascending.
        """
        present = np.flatnonzero(codes >= 0)
        # One sort of (entity, row) packed in an int64 is several times faster than a stable
        # argsort.
        packed = (codes[present].astype(np.int64) << 32) | present
        packed.sort()
        rows = packed & 0xFFFFFFFF
        entity = packed >> 32
        offsets = np.searchsorted(entity, np.arange(entities + 1))
        origin_us = int(time_us[0]) // _SECOND_US * _SECOND_US if len(time_us) else 0
        slot_time = time_us[rows]
        # Rounded up, so that `event <= cutoff` holds in seconds exactly when it does in
        # microseconds, for cutoffs at whole seconds.
        seconds = -((origin_us - slot_time) // _SECOND_US) + 1
        return cls(
            offsets=offsets.astype(np.int64),
            rows=rows,
            time_us=slot_time,
            _keys=(entity << _SECONDS_BITS) | seconds,
            _origin_us=origin_us,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def position(
        self, entities: NDArray[np.integer], cutoff_us: NDArray[np.int64] | int
    ) -> NDArray[np.int64]:
        """The first slot of each entity that is after the cutoff.

        Args:
            entities: (R,) codes.
            cutoff_us: (R,) or one; whole seconds.

        Returns:
            (R,) slots; the entity's events at or before the cutoff are those from
            `offsets[entity]` up to it.
        """
        seconds = (np.asarray(cutoff_us) - self._origin_us) // _SECOND_US + 1
        seconds = np.clip(seconds, 0, (1 << _SECONDS_BITS) - 1)
        key = (entities.astype(np.int64) << _SECONDS_BITS) | seconds
        slots: NDArray[np.int64] = np.searchsorted(self._keys, key, side="right")
        return slots


@dataclass(frozen=True)
class PairIndex:
    """The pairs of a user and an item that have events together, and their events."""

    index: EntityIndex
    _pairs: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        user: NDArray[np.int32],
        item: NDArray[np.int32],
        time_us: NDArray[np.int64],
    ) -> PairIndex:
        """Index the events that have both a user and an item."""
        packed = np.where((user >= 0) & (item >= 0), (user.astype(np.int64) << 32) | item, -1)
        pairs, codes = np.unique(packed, return_inverse=True)
        if len(pairs) and pairs[0] == -1:
            pairs, codes = pairs[1:], codes - 1
        return cls(index=EntityIndex.build(codes, len(pairs), time_us), _pairs=pairs)

    def codes(self, user: NDArray[np.integer], item: NDArray[np.integer]) -> NDArray[np.int64]:
        """The codes of these pairs in `index`, -1 for a pair without events."""
        packed = (user.astype(np.int64) << 32) | item
        if not len(self._pairs):
            return np.full(len(packed), -1, dtype=np.int64)
        found = np.minimum(np.searchsorted(self._pairs, packed), len(self._pairs) - 1)
        return np.where(self._pairs[found] == packed, found, -1)
