"""Reads one user or item as of now: its events in the log and those that have come since.

Features, sequences and codes come from the same code as those of many rows, and are the same bits
that a log of all events would give; nothing is made anew when events come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.events import EntityEvents
from model.events.tail import LogWithTail
from model.snapshots.aggregates import FeatureReader
from model.snapshots.declarations import declared
from model.snapshots.features import UNKNOWN, SnapshotPlan
from model.snapshots.history import History
from model.snapshots.inputs import Inputs
from model.snapshots.reader import SnapshotReader
from model.snapshots.recent import RecentCounterparts
from model.snapshots.scan_tables import Source
from model.snapshots.sequences import SequenceReader, Sequences

Side = Literal["user", "item"]
Longs = NDArray[np.int64]

_FIRST = np.zeros(1, dtype=np.int64)


class OnlineReader:
    """What the network reads about users and items of a log with a tail.

    Args:
        log: a log and its tail.
        reader: of the log; what it keeps is used for every tail.
        use_compiler: without it the features are computed in NumPy, the same bit for bit.
    """

    def __init__(
        self, log: LogWithTail, reader: SnapshotReader, *, use_compiler: bool = COMPILED
    ) -> None:
        self._log = log
        self._plan: SnapshotPlan = reader.plan
        self._reader = reader
        self._use_compiler = use_compiler

    def inputs(self, side: Side, code: int, cutoff_us: int) -> tuple[Inputs, Sequences]:
        """The inputs of one user or item, and its last events; an item has none.

        Args:
            side: which of them it is.
            code: from `LogWithTail.code`.
            cutoff_us: no event after it is looked at.
        """
        events = self._log.events_of(side, code)
        features = self._features[side]
        base = self._base_size(side)
        entity = code if code < base else -1  # the table does not know who came with the tail
        counterparts = TailedCounterparts(self._log, _OTHER[side], features.recents, self._base)
        inputs = Inputs(
            users=np.array([code if side == "user" else -1]),
            items=np.array([code if side == "item" else -1]),
            cutoffs_us=np.array([cutoff_us]),
            ends=events.position(_FIRST, cutoff_us),
            numbers=features.read_one(events, entity, cutoff_us, counterparts),
            categories=self._categories(side, entity),
            item_codes=self._item_code(entity) if side == "item" else np.zeros(1, dtype=np.int64),
        )
        return inputs, self._sequence(side, events, inputs)

    @cached_property
    def _base(self) -> dict[Side, EntityEvents]:
        return {"user": self._log.base.user_events, "item": self._log.base.item_events}

    def _base_size(self, side: Side) -> int:
        return len(self._base[side])

    @cached_property
    def _features(self) -> dict[Side, FeatureReader]:
        base = self._log.base
        # What the tables need of the log: its types, the tail's among them, and its first event.
        log = replace(base, event_types=self._log.event_types)
        sources = {
            "user": Source(log, base.user_events, base.users, base.items),
            "item": Source(log, base.item_events, base.items, base.users),
        }
        plans = {"user": self._plan.users, "item": self._plan.items}
        return {
            side: FeatureReader(
                sources[side], plans[side], declared(plans[side]), use_compiler=self._use_compiler
            )
            for side in _SIDES
        }

    @cached_property
    def _sequences(self) -> SequenceReader:
        log = replace(self._log.base, event_types=self._log.event_types)
        return SequenceReader(
            History(log, self._base["user"]),
            self._reader.item_codes,
            self._plan.users.event_types,
            self._plan.sequence_length,
            use_compiler=self._use_compiler,
        )

    def _categories(self, side: Side, entity: int) -> Longs:
        known = self._reader.category_codes[side]
        if entity < 0:
            return np.full((1, known.shape[1]), UNKNOWN, dtype=np.int64)
        return known[entity : entity + 1]

    def _item_code(self, entity: int) -> Longs:
        return np.array([UNKNOWN if entity < 0 else self._reader.item_codes[entity]])

    def _sequence(self, side: Side, events: EntityEvents, inputs: Inputs) -> Sequences:
        if side == "item":
            return Sequences.empty(1, self._plan.sequence_length)
        # The model knows no item that came with the tail: it is none of them.
        known = np.where(events.counterpart < self._base_size("item"), events.counterpart, -1)
        known_events = replace(events, counterpart=known.astype(np.int32))
        return self._sequences.read(_FIRST, inputs.ends, inputs.cutoffs_us, known_events)


_SIDES: tuple[Side, ...] = ("user", "item")
_OTHER: dict[Side, Side] = {"user": "item", "item": "user"}


class TailedCounterparts:
    """Sums over the counterparts of an entity's last events, by a log and its tail.

    Args:
        log: both.
        side: what the counterparts are.
        wanted: some of `RECENTS`.
        base: the log's events.
    """

    def __init__(
        self, log: LogWithTail, side: Side, wanted: Sequence[str], base: dict[Side, EntityEvents]
    ) -> None:
        self._log = log
        self._side: Side = side
        self._wanted = wanted
        self._base = base[side]

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """See `RecentCounterparts.sums`; of one row."""
        codes = recent_RL[recent_RL >= 0].astype(np.int64)
        at_us = np.full(len(codes), cutoffs_us[0])
        tail, own = self._log.tail_of(self._side, codes)
        in_base = np.where(codes < len(self._base), codes, -1)
        found = {}
        for name in self._wanted:
            old = _numbers(self._base, name, in_base, at_us)
            new = _numbers(tail, name, own, at_us)
            both = np.minimum(old, new) if name == "since_last_us" else old + new
            found[name] = np.array([both.sum()])
        return found


def _numbers(events: EntityEvents, name: str, codes: Longs, at_us: Longs) -> Longs:
    """One of `RECENTS` of these entities; what nobody has is said of the code -1."""
    nobody = np.iinfo(np.int64).max if name == "since_last_us" else 0
    numbers = np.full(len(codes), nobody, dtype=np.int64)
    there = codes >= 0
    known = RecentCounterparts(events, [name]).numbers(name, codes[there], at_us[there])
    numbers[there] = known
    return numbers
