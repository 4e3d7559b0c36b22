"""Reads the declared features of some rows: scan, formulas, and what no scan gives."""

# R rows, F features, Q tallies

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.events import EntityEvents
from model.snapshots import scan_kernel, scan_numpy
from model.snapshots.features import FeaturePlan
from model.snapshots.formulas import Declaration, Feature, Recent, tallies
from model.snapshots.given import GivenColumns
from model.snapshots.one_row_features import OneRowFeatures
from model.snapshots.recent import Counterparts, RecentCounterparts
from model.snapshots.scan import (
    NEVER_US,
    RECENT_EVENTS,
    RECENTS,
    ScanLayout,
    ScanRows,
    ScanTables,
)
from model.snapshots.scan_tables import EventColumns, Source, event_columns, scan_tables
from model.snapshots.transforms import Transform

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK_BYTES = 1 << 21
"""Of totals at a time: they are near while they are read, and threads seldom wait for each other
between one step and the next."""


class FeatureReader:
    """Reads the declared features of an entity kind.

    Attributes:
        features: F of them, in order.
        recents: what they need to know of counterparts.

    Args:
        source: events and tables.
        plan: the event types and values that are told apart.
        declarations: F of them.
        use_compiler: without it the scan is NumPy's.
    """

    def __init__(
        self,
        source: Source,
        plan: FeaturePlan,
        declarations: Sequence[Declaration],
        *,
        use_compiler: bool = COMPILED,
    ) -> None:
        self.features: tuple[Feature, ...] = tuple(d.feature for d in declarations)
        self._source = source
        self._plan = plan
        needed = [tally for d in declarations for tally in tallies(d.formula)]
        self._layout = ScanLayout.of(plan.event_types, needed)
        self._transform = Transform(declarations, self._layout, use_compiler=use_compiler)
        self._given = GivenColumns(declarations, source.table, source.log.first_us)
        self.recents = tuple(q.what for q in needed if isinstance(q, Recent) and q.what)
        self._use_compiler = use_compiler
        self._scratch = threading.local()

    def over(self, events: EntityEvents) -> FeatureReader:
        """The same features of other events of the same log."""
        reader = copy(self)
        # Made once, for all that come of this one.
        vars(reader).update(_tables=self._tables, _counterparts=self._counterparts)
        for name in ("_columns", "_counterpart_codes"):
            vars(reader).pop(name, None)
        reader._source = replace(self._source, events=events)
        return reader

    def read(
        self,
        entities: Longs,
        ends: Longs,
        cutoffs_us: Longs,
        counterparts: Counterparts | None = None,
    ) -> NDArray[np.float32]:
        """The features of R rows.

        Args:
            entities: (R,) codes; -1 for one that has no events.
            ends: (R,) first slot after the cutoff, from `EntityEvents.position`; of nobody any.
            cutoffs_us: (R,) no event after it is looked at.
            counterparts: what is known of those whom they met, if not what the log says.

        Shape:
            returns: (R, F)
        """
        events = self._source.events
        starts = np.where(entities >= 0, events.starts(entities), ends)
        rows = ScanRows(starts, ends, cutoffs_us)
        return self._read(events, entities, rows, counterparts or self._counterparts)

    def read_from(
        self,
        events: EntityEvents,
        entities: Longs,
        cutoffs_us: Longs,
        counterparts: Counterparts | None,
        ends: Longs | None = None,
    ) -> NDArray[np.float32]:
        """The features of R rows from events that are given.

        Args:
            events: an index whose r-th entity is that of the r-th row.
            entities: (R,) codes in the table, -1 for one that is not there.
            cutoffs_us: (R,) no event after it is looked at.
            counterparts: what is known of those whom they met.
            ends: (R,) first slot after the cutoff, where that is known.

        Shape:
            returns: (R, F)
        """
        if ends is None:
            ends = events.position(np.arange(len(entities)), cutoffs_us)
        rows = ScanRows(events.offsets[:-1], ends, cutoffs_us)
        return self._read(events, entities, rows, counterparts)

    def one_at_a_time(self, events: EntityEvents) -> OneRowFeatures:
        """For rows that come one by one, each with its events in the first slots of these."""
        most = self._counterpart_codes
        return OneRowFeatures(events, self._tables, self._transform, self._given, most)

    def _read(
        self,
        events: EntityEvents,
        entities: Longs,
        rows: ScanRows,
        counterparts: Counterparts | None,
    ) -> NDArray[np.float32]:
        step = max(1, _BLOCK_BYTES // (8 * self._layout.width))
        if len(rows) <= step:
            return self._read_block(events, entities, rows, counterparts)
        features = np.empty((len(rows), len(self.features)), dtype=np.float32)
        order = _by_entity(rows)
        for start in range(0, len(rows), step):
            part = slice(start, start + step) if order is None else order[start : start + step]
            features[part] = self._read_block(events, entities[part], rows.take(part), counterparts)
        return features

    def _read_block(
        self,
        events: EntityEvents,
        entities: Longs,
        rows: ScanRows,
        counterparts: Counterparts | None,
    ) -> NDArray[np.float32]:
        totals = self._totals(rows, events, counterparts)
        return self._transform.read(totals, self._given.read(entities, rows.cutoffs_us))

    def _totals(
        self, rows: ScanRows, events: EntityEvents, counterparts: Counterparts | None
    ) -> Floats:
        """(R, Q) what the scan finds, counterparts included."""
        place = self._layout.places.recent
        last = RECENT_EVENTS if place >= 0 else 0
        totals = np.zeros((len(rows), self._layout.width))
        recent = np.full((len(rows), last), -1, dtype=np.int32)
        if self._use_compiler:
            self._fill(rows, events, totals, recent)
        else:
            scan_numpy.fill(self._tables, events, rows, totals, recent)
        if place >= 0 and counterparts is not None:
            for name, sums in counterparts.sums(recent, rows.cutoffs_us).items():
                totals[:, place + 1 + RECENTS.index(name)] = sums
        return totals

    def _fill(
        self,
        rows: ScanRows,
        events: EntityEvents,
        totals: Floats,
        recent: NDArray[np.int32],
    ) -> None:
        is_whole = events is self._source.events
        columns = self._columns if is_whole else event_columns(events)
        met = 0 if is_whole else int(events.counterpart.max(initial=-1)) + 1
        stamps, stamp = self._stamps(len(rows), max(met, self._counterpart_codes))
        of_rows = rows.starts, rows.ends, rows.cutoffs_us
        before = (*of_rows, *columns, *self._tables.for_kernel, NEVER_US, stamps)
        scan_kernel.fill(*before, stamp, totals, recent)

    def _stamps(self, rows: int, size: int) -> tuple[Longs, int]:
        """This thread's stamps, none of them above the number beside."""
        stamps: Longs | None = getattr(self._scratch, "stamps", None)
        is_full = stamps is not None and self._scratch.used + rows >= np.iinfo(np.int32).max
        if stamps is None or is_full or len(stamps) < size:
            stamps = np.zeros(size, dtype=np.int64)
            self._scratch.stamps, self._scratch.used = stamps, 0
        used: int = self._scratch.used
        self._scratch.used += rows
        return stamps, used

    @cached_property
    def _columns(self) -> EventColumns:
        return event_columns(self._source.events)

    @cached_property
    def _counterpart_codes(self) -> int:
        """No code of a counterpart is as great as this; the events need not be looked at."""
        return max(len(self._source.log.users), len(self._source.log.items))

    @cached_property
    def _counterparts(self) -> RecentCounterparts | None:
        if self._source.others is None:
            return None
        return RecentCounterparts(self._source.others, self.recents)

    @cached_property
    def _tables(self) -> ScanTables:
        return scan_tables(self._layout, self._plan, self._source)


def _by_entity(rows: ScanRows) -> Longs | None:
    """The rows of an entity side by side: its events are walked once for all its cutoffs.

    Returns:
        (R,) the order; None where they stand so.
    """
    ahead, behind = rows.take(slice(1, None)), rows.take(slice(None, -1))
    is_next = ahead.starts > behind.starts
    goes_on = (ahead.starts == behind.starts) & (ahead.cutoffs_us >= behind.cutoffs_us)
    if bool((is_next | goes_on).all()):
        return None
    return np.lexsort((rows.cutoffs_us, rows.starts))
