"""The events of each entity of one kind, and where a window of days lies among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, EntityEvents, EventLog

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Which entities are looked at, and when: entity codes (R,) and their cutoff (one for all)."""

    entities: NDArray[np.int64]
    cutoff_us: int

    def __len__(self) -> int:
        return len(self.entities)


@dataclass(frozen=True)
class History:
    """The events of each entity of one kind."""

    log: EventLog
    index: EntityEvents

    def start(self, rows: Rows, window_days: float | None) -> Ints:
        """The first slot within the window that ends at the cutoff; None is all the past."""
        if window_days is None:
            return self.index.starts(rows.entities)
        opens_us = rows.cutoff_us - int(window_days * MICROSECONDS_PER_DAY)
        return self.index.position(rows.entities, opens_us)

    def end(self, rows: Rows, ahead_days: float = 0) -> Ints:
        """The first slot after the cutoff, or after some days more."""
        closes_us = rows.cutoff_us + int(ahead_days * MICROSECONDS_PER_DAY)
        return self.index.position(rows.entities, closes_us)

    def counterparts(self, slots: NDArray[np.integer[Any]]) -> Ints:
        """Whom the entity met in these slots, -1 for nobody."""
        met: Ints = self.index.counterpart[slots].astype(np.int64)
        return met
