"""The declared features of rows that come one by one, in memory that is filled again and again."""

# Q tallies, F features, L last events

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.events import EntityEvents
from model.snapshots import scan_kernel
from model.snapshots.given import GivenColumns
from model.snapshots.recent import Counterparts
from model.snapshots.scan import NEVER_US, RECENT_EVENTS, RECENTS, ScanTables
from model.snapshots.scan_tables import event_columns
from model.snapshots.transforms import Transform

Longs = NDArray[np.int64]

_MOST_STAMPS = np.iinfo(np.int32).max


class OneRowFeatures:
    """What `FeatureReader` reads, of one row; for one thread.

    Args:
        events: those of each row in turn stand in the first slots.
        tables: of the scan.
        transform: of its layout.
        given: what no scan gives.
        counterparts: no code of one is as great as this.
    """

    def __init__(
        self,
        events: EntityEvents,
        tables: ScanTables,
        transform: Transform,
        given: GivenColumns,
        counterparts: int,
    ) -> None:
        layout = tables.layout
        self._given, self._place = given, layout.places.recent
        self._start, self._end, self._cutoff = np.zeros((3, 1), dtype=np.int64)
        self._totals_1Q = np.zeros((1, layout.width))
        last = RECENT_EVENTS if self._place >= 0 else 0
        self._recent_1L = np.full((1, last), -1, dtype=np.int32)
        self._given_1G = np.empty((1, given.width))
        self._stamps, self._stamp = np.zeros(max(1, counterparts), dtype=np.int64), 0
        rows = self._start, self._end, self._cutoff
        self._before = (*rows, *event_columns(events), *tables.for_kernel, NEVER_US, self._stamps)
        self._behind = self._totals_1Q, self._recent_1L
        self._fill = scan_kernel.fill.looked_at(*self._before, 0, *self._behind)
        self._transformed = transform.one_at_a_time(self._totals_1Q, self._given_1G)

    def read(
        self, end: int, entity: int, cutoff_us: int, counterparts: Counterparts
    ) -> NDArray[np.float32]:
        """The features of a row.

        Args:
            end: the first slot after the cutoff.
            entity: code in the table, -1 for one that is not there.
            cutoff_us: no event after it is looked at.
            counterparts: what is known of those whom it met.

        Shape:
            returns: (1, F)
        """
        self._end[0], self._cutoff[0] = end, cutoff_us
        self._totals_1Q.fill(0.0)
        self._recent_1L.fill(-1)
        self._fill(*self._before, self._next_stamp(), *self._behind)
        if self._place >= 0:
            for name, sums in counterparts.sums(self._recent_1L, self._cutoff).items():
                self._totals_1Q[0, self._place + 1 + RECENTS.index(name)] = sums[0]
        self._given.write_one(entity, cutoff_us, self._given_1G)
        return self._transformed()

    def _next_stamp(self) -> int:
        """No stamp is above this."""
        if self._stamp == _MOST_STAMPS:
            self._stamps.fill(0)
            self._stamp = 0
        self._stamp += 1
        return self._stamp - 1
