"""Reads users, items and pairs as of now: their events in the log and those that came since.

Features, sequences and codes come from the same code as those of a log, and are the same bits that
a log of all events would give; nothing is made anew when events come.
"""

# R = rows, L = last events

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.events import EntityEvents
from model.events.storage import StoredEvents
from model.events.tail import LogWithTail, Side
from model.snapshots.aggregates import FeatureReader
from model.snapshots.declarations import declared, declared_of_pairs
from model.snapshots.features import UNKNOWN, SnapshotPlan
from model.snapshots.history import History
from model.snapshots.inputs import Inputs
from model.snapshots.one_row import OneRow, OneRowReader
from model.snapshots.read_rows import ReadRows, Rows
from model.snapshots.reader import SnapshotReader
from model.snapshots.recent import RecentCounterparts
from model.snapshots.scan_tables import Source
from model.snapshots.sequences import SequenceReader, Sequences

Longs = NDArray[np.int64]
Numbers = NDArray[np.float32]

_OTHER: dict[Side, Side] = {"user": "item", "item": "user"}


class OnlineReader:
    """What the network reads about the entities of a log and its tail.

    Made once for a log; what grows is handed over with each question. Several threads may ask.

    Args:
        reader: of the log.
        use_compiler: without it the features are computed in NumPy, the same bit for bit.
    """

    def __init__(self, reader: SnapshotReader, *, use_compiler: bool = COMPILED) -> None:
        self._reader = reader
        self._use_compiler = use_compiler
        self._codes_of_items = np.append(reader.item_codes, UNKNOWN)  # the last for new ones
        self._known = _OfTypes(reader, reader.log.event_types, use_compiler=use_compiler)

    @property
    def plan(self) -> SnapshotPlan:
        """What the model was made with."""
        return self._reader.plan

    def read(self, log: LogWithTail, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows.

        Args:
            log: the reader's log with its tail of now.
            rows: whom, by the codes of `log`, and when.
        """
        match rows.kind:
            case "user":
                return self._of_users(log, rows)
            case "item":
                return self._of_items(log, rows)
            case "pair":
                return self._of_pairs(log, rows)

    def _of_users(self, log: LogWithTail, rows: Rows) -> ReadRows:
        one = self._one(log, "user", rows.users, rows.cutoffs_us)
        if one is not None and one.sequences is not None:
            return self._read_one(rows, one, np.zeros(1, dtype=np.int64), one.sequences)
        side = self._side(log, "user", rows.users, rows.cutoffs_us)
        return ReadRows(
            inputs=Inputs(
                users=rows.users,
                items=rows.items,
                cutoffs_us=rows.cutoffs_us,
                ends=side.ends,
                numbers=side.numbers,
                categories=side.categories,
                item_codes=np.zeros(len(rows), dtype=np.int64),
            ),
            sequences=self._sequences(log, rows, side),
            is_cold=side.is_cold,
        )

    def _of_items(self, log: LogWithTail, rows: Rows) -> ReadRows:
        one = self._one(log, "item", rows.items, rows.cutoffs_us)
        if one is not None:
            nothing = Sequences.empty(1, self.plan.sequence_length)
            return self._read_one(rows, one, self._codes_of_items[rows.items], nothing)
        side = self._side(log, "item", rows.items, rows.cutoffs_us)
        return ReadRows(
            inputs=Inputs(
                users=rows.users,
                items=rows.items,
                cutoffs_us=rows.cutoffs_us,
                ends=np.zeros(len(rows), dtype=np.int64),
                numbers=side.numbers,
                categories=side.categories,
                item_codes=self._item_codes(rows.items),
            ),
            sequences=Sequences.empty(len(rows), self.plan.sequence_length),
            is_cold=side.is_cold,
        )

    def _of_pairs(self, log: LogWithTail, rows: Rows) -> ReadRows:
        users, of_user = rows.once("user")
        items, of_item = rows.once("item")
        user = self._of_users(log, users).take(of_user)
        item = self._of_items(log, items).take(of_item)
        numbers = [user.inputs.numbers, item.inputs.numbers, self._pair_numbers(log, rows)]
        categories = [user.inputs.categories, item.inputs.categories]
        inputs = replace(
            user.inputs,
            items=rows.items,
            numbers=np.concatenate(numbers, axis=1),
            categories=np.concatenate(categories, axis=1),
            item_codes=item.inputs.item_codes,
        )
        return ReadRows(inputs=inputs, sequences=user.sequences, is_cold=user.is_cold)

    def _one(self, log: LogWithTail, side: Side, codes: Longs, cutoffs_us: Longs) -> OneRow | None:
        """A lone user or item of a log in files, if nothing of it is new."""
        if len(codes) != 1:
            return None
        code, known = int(codes[0]), self._of(log)
        reader = known.one_at_a_time(side)
        if reader is None or not 0 <= code < len(known.events(side)) or log.has_tail_of(side, code):
            return None
        return reader.read(code, int(cutoffs_us[0]), known.counterparts(log, side))

    def _read_one(
        self, rows: Rows, one: OneRow, item_codes: Longs, sequences: Sequences
    ) -> ReadRows:
        side: Side = "item" if rows.kind == "item" else "user"
        codes = rows.items if side == "item" else rows.users
        return ReadRows(
            inputs=Inputs(
                users=rows.users,
                items=rows.items,
                cutoffs_us=rows.cutoffs_us,
                ends=one.end if side == "user" else np.zeros(1, dtype=np.int64),
                numbers=one.numbers,
                categories=self._reader.category_codes[side][codes],
                item_codes=item_codes,
            ),
            sequences=sequences,
            is_cold=one.end == 0,
        )

    def _side(self, log: LogWithTail, side: Side, codes: Longs, cutoffs_us: Longs) -> _SideRows:
        """The features of users or items: those with new events by what is put together.

        A few of them are put together in any case where that is sooner done.
        """
        known = self._of(log)
        counterparts = known.counterparts(log, side)
        features, base = known.features[side], known.events(side)
        # The tables do not know who came with the tail.
        entities = np.where(codes < len(base), codes, -1)
        if base.is_sooner_gathered(codes):
            events = log.events_of_many(side, codes)
            ends = events.position(np.arange(len(codes)), cutoffs_us)
            numbers = features.read_from(events, entities, cutoffs_us, counterparts, ends)
            is_cold = ends == events.offsets[:-1]
            in_log = np.zeros(0, dtype=np.int64)
            return _SideRows(
                numbers, self._categories(side, entities), ends, is_cold, in_log, events
            )
        is_new = log.has_tail(side, codes)
        rows = np.flatnonzero(~is_new)
        old = codes[rows]
        ends = np.zeros(len(codes), dtype=np.int64)
        ends[rows] = base.position(old, cutoffs_us[rows])
        is_cold = np.zeros(len(codes), dtype=bool)
        is_cold[rows] = ends[rows] == base.offsets[old]
        if len(rows) == len(codes):
            numbers = features.read(codes, ends, cutoffs_us, counterparts)
            return _SideRows(numbers, self._categories(side, entities), ends, is_cold, rows, None)
        new = np.flatnonzero(is_new)
        events = log.events_of_many(side, codes[new])
        ends[new] = events.position(np.arange(len(new)), cutoffs_us[new])
        is_cold[new] = ends[new] == events.offsets[:-1]
        numbers = np.empty((len(codes), len(features.features)), dtype=np.float32)
        if len(rows):
            numbers[rows] = features.read(old, ends[rows], cutoffs_us[rows], counterparts)
        numbers[new] = features.read_from(events, entities[new], cutoffs_us[new], counterparts)
        return _SideRows(numbers, self._categories(side, entities), ends, is_cold, rows, events)

    def _pair_numbers(self, log: LogWithTail, rows: Rows) -> Numbers:
        """What the pairs have had with each other."""
        features, base = self._of(log).pair_features, self._reader.pair_index
        codes = base.codes(*(_known(log, rows, side) for side in _SIDES))
        is_new = log.pairs_with_tail(rows.users, rows.items)
        ends = np.zeros(len(rows), dtype=np.int64)
        met = np.flatnonzero(codes >= 0)
        ends[met] = base.events.position(codes[met], rows.cutoffs_us[met])
        numbers = features.read(codes, ends, rows.cutoffs_us)
        if is_new.any():
            new = np.flatnonzero(is_new)
            events = log.events_of_pairs(rows.users[new], rows.items[new])
            numbers[new] = features.read_from(events, codes[new], rows.cutoffs_us[new], None)
        return numbers

    def _sequences(self, log: LogWithTail, rows: Rows, side: _SideRows) -> Sequences:
        read = self._of(log).sequences.read
        if side.joined is None:
            return read(rows.users, side.ends, rows.cutoffs_us)
        new = np.ones(len(rows), dtype=bool)
        new[side.in_log] = False
        # The model knows no item that came with the tail: it is none of them.
        events, items = side.joined, len(self._reader.log.items)
        if len(log):
            met = np.where(events.counterpart < items, events.counterpart, -1).astype(np.int32)
            events = replace(events, counterpart=met)
        own = read(
            np.arange(int(new.sum())),
            side.ends[new],
            rows.cutoffs_us[new],
            events,
        )
        if not len(side.in_log):
            return own
        old = rows.take(side.in_log)
        base = read(old.users, side.ends[side.in_log], old.cutoffs_us)
        return Sequences.interleaved(new, own, base)

    def _categories(self, side: Side, entities: Longs) -> Longs:
        known = self._reader.category_codes[side]
        if len(entities) and entities.min() >= 0:
            return known[entities]
        codes = np.full((len(entities), known.shape[1]), UNKNOWN, dtype=np.int64)
        codes[entities >= 0] = known[entities[entities >= 0]]
        return codes

    def _item_codes(self, items: Longs) -> Longs:
        known = np.where(items < len(self._codes_of_items) - 1, items, -1)
        return self._codes_of_items[known]

    def _of(self, log: LogWithTail) -> _OfTypes:
        """What depends on the event types, which may have become more."""
        known = self._known
        if known.event_types != log.event_types:
            known = _OfTypes(self._reader, log.event_types, use_compiler=self._use_compiler)
            self._known = known
        return known


_SIDES: tuple[Side, ...] = ("user", "item")


@dataclass(frozen=True)
class _SideRows:
    """Some users or items.

    Attributes:
        numbers: (R, features)
        categories: (R, categorical attributes)
        ends: (R,) the first slot after the cutoff: in the log, or in what was put together.
        is_cold: (R,) who has no event before the cutoff.
        in_log: the rows without new events.
        joined: of the other rows, in their order; None where there are none.
    """

    numbers: Numbers
    categories: Longs
    ends: Longs
    is_cold: NDArray[np.bool_]
    in_log: Longs
    joined: EntityEvents | None


class _OfTypes:
    """What is made once for a log and for the event types that it and its tail have."""

    def __init__(
        self, reader: SnapshotReader, event_types: tuple[str, ...], *, use_compiler: bool
    ) -> None:
        plan = reader.plan
        self.event_types = event_types
        self._use_compiler = use_compiler
        self._of_thread = threading.local()
        self._log = log = replace(reader.log, event_types=event_types)
        self._base: dict[Side, EntityEvents] = {
            "user": reader.log.user_events,
            "item": reader.log.item_events,
        }
        tables = {"user": log.users, "item": log.items}
        plans = {"user": plan.users, "item": plan.items}
        self.features = {
            side: FeatureReader(
                Source(log, self._base[side], tables[side], tables[_OTHER[side]]),
                plans[side],
                declared(plans[side]),
                use_compiler=use_compiler,
            )
            for side in _SIDES
        }
        self._recents = {
            side: RecentCounterparts(self._base[_OTHER[side]], self.features[side].recents)
            for side in _SIDES
        }
        self.pair_features = FeatureReader(
            Source(log, reader.pair_index.events),
            plan.users,
            declared_of_pairs(plan.users),
            use_compiler=use_compiler,
        )
        self.sequences = SequenceReader(
            History(log, self._base["user"]),
            reader.item_codes,
            plan.users.event_types,
            plan.sequence_length,
            use_compiler=use_compiler,
        )

    def events(self, side: Side) -> EntityEvents:
        """The log's own, of each user or item."""
        return self._base[side]

    def one_at_a_time(self, side: Side) -> OneRowReader | None:
        """Reads users or items one by one, for this thread; None where they are not in files."""
        events = self._base[side]
        if not (self._use_compiler and isinstance(events, StoredEvents)):
            return None
        readers: dict[Side, OneRowReader] = vars(self._of_thread).setdefault("readers", {})
        if side not in readers:
            sequences = self.sequences if side == "user" else None
            readers[side] = OneRowReader(events, self.features[side], sequences)
        return readers[side]

    def counterparts(self, log: LogWithTail, side: Side) -> TailedCounterparts | RecentCounterparts:
        """Says what is known of those whom users or items met."""
        if not len(log):
            return self._recents[side]
        other = _OTHER[side]
        return TailedCounterparts(log, other, self._recents[side], len(self._base[other]))


class TailedCounterparts:
    """Sums over the counterparts of entities' last events, by a log and its tail.

    Args:
        log: both.
        side: what the counterparts are.
        base: of the log.
        size: how many of them the log has.
    """

    def __init__(self, log: LogWithTail, side: Side, base: RecentCounterparts, size: int) -> None:
        self._log = log
        self._side: Side = side
        self._base = base
        self._size = size

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """See `RecentCounterparts.sums`."""
        wanted = self._base.wanted
        if not wanted:
            return {}
        if not self._log.has_tail(self._side, recent_RL).any():
            return self._base.sums(recent_RL, cutoffs_us)
        row, place = np.nonzero(recent_RL >= 0)
        codes = recent_RL[row, place]
        at_us = cutoffs_us[row]
        known = np.flatnonzero(codes < self._size)
        new = np.flatnonzero(self._log.has_tail(self._side, codes))
        owners, owner = np.unique(codes[new].astype(np.int64), return_inverse=True)
        tail = RecentCounterparts(self._log.tail_of_many(self._side, owners), wanted)
        of_log = self._base.all_numbers(codes[known], at_us[known])
        found = {}
        for name in wanted:
            is_time = name == "since_last_us"
            nobody = np.iinfo(np.int64).max if is_time else 0
            numbers = np.full(len(codes), nobody, dtype=np.int64)
            numbers[known] = of_log[name]
            more = tail.numbers(name, owner, at_us[new])
            numbers[new] = np.minimum(numbers[new], more) if is_time else numbers[new] + more
            sums = np.zeros(len(recent_RL), dtype=np.int64)
            np.add.at(sums, row, numbers)
            found[name] = sums
        return found


def _known(log: LogWithTail, rows: Rows, side: Side) -> Longs:
    """Codes of users or items of the log, -1 for those that came with the tail."""
    codes, table = (rows.users, log.base.users) if side == "user" else (rows.items, log.base.items)
    return np.where(codes < len(table), codes, -1)
