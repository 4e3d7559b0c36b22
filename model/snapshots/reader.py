"""Reads a log as the model sees it: the inputs of any entities at a cutoff.

Training and serving both come here, so their features cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.events import Entities, EntityEvents, EventLog, PairEvents
from model.snapshots import history as history_of
from model.snapshots.aggregates import FeatureReader
from model.snapshots.choices import Choices
from model.snapshots.declarations import declared, declared_features, declared_of_pairs
from model.snapshots.features import UNKNOWN, FeaturePlan, SnapshotPlan
from model.snapshots.formulas import Declaration, Feature, look_at_counterparts
from model.snapshots.history import History
from model.snapshots.inputs import Inputs
from model.snapshots.read_rows import ReadRows, Rows, network_arrays
from model.snapshots.scan_tables import Source
from model.snapshots.sequences import SequenceReader, Sequences
from model.tasks import EntityKind

_ROWS_AT_ONCE = 1 << 14
Codes = NDArray[np.int64]
Cutoffs = NDArray[np.int64] | int
"""One for every row, or one for all; microseconds since 1970."""


class SnapshotReader:
    """The histories of a log and what a plan makes of them.

    Args:
        log: the events.
        plan: what the model was made with.
        use_compiler: without it the features are computed in NumPy, the same bit for bit.
        whole: reads all entities of the log; what it knows of them is not worked out again.
    """

    def __init__(
        self,
        log: EventLog,
        plan: SnapshotPlan,
        *,
        use_compiler: bool = COMPILED,
        whole: SnapshotReader | None = None,
    ) -> None:
        self.log = log
        self.plan = plan
        self._use_compiler = use_compiler
        self._whole = self if whole is None else whole
        self._choices: dict[EntityKind, Choices] = {}

    def part(self, entity: Literal["user", "item"], events: EntityEvents) -> SnapshotReader:
        """Reads the rows of some entities alone, all of whose events are given."""
        reader = SnapshotReader(self.log, self.plan, use_compiler=self._use_compiler, whole=self)
        vars(reader)[f"{entity}s"] = History(self.log, events)
        return reader

    @cached_property
    def users(self) -> History:
        """The events of each user."""
        return History(self.log, self.log.user_events)

    @cached_property
    def items(self) -> History:
        """The events of each item."""
        return History(self.log, self.log.item_events)

    @property
    def pair_index(self) -> PairEvents:
        """The codes of the pairs that have events."""
        return self.log.pair_events

    @cached_property
    def pairs(self) -> History:
        """The events of each pair that has some."""
        return History(self.log, self.pair_index.events)

    @cached_property
    def choices(self) -> Choices:
        """The rows of the log that targets look at."""
        return Choices(self.log)

    def choices_of(self, entity: EntityKind) -> Choices:
        """The slots of a history that targets look at."""
        if entity not in self._choices:
            self._choices[entity] = Choices(self.log, self.history(entity).index)
        return self._choices[entity]

    @cached_property
    def item_codes(self) -> NDArray[np.int64]:
        """(items,) the model's code of each of the log's items."""
        if self._whole is not self:
            return self._whole.item_codes
        found = self.log.items.find(self.plan.item_ids)
        codes = np.zeros(len(self.log.items), dtype=np.int64)
        codes[found[found >= 0]] = np.flatnonzero(found >= 0) + 1
        return codes

    @cached_property
    def _sequences(self) -> SequenceReader:
        return SequenceReader(
            self.users,
            self.item_codes,
            self.plan.users.event_types,
            self.plan.sequence_length,
            use_compiler=self._use_compiler,
        )

    @cached_property
    def category_codes(self) -> dict[EntityKind, Codes]:
        """(entities, categorical attributes) the plan's codes, of users and of items."""
        if self._whole is not self:
            return self._whole.category_codes
        return {
            "user": _category_codes(self.log.users, self.plan.users),
            "item": _category_codes(self.log.items, self.plan.items),
        }

    @cached_property
    def _user_features(self) -> FeatureReader:
        return self._whole._features_of_users.over(self.users.index)

    @cached_property
    def _item_features(self) -> FeatureReader:
        return self._whole._features_of_items.over(self.items.index)

    @cached_property
    def _features_of_users(self) -> FeatureReader:
        """Of no events yet."""
        log, declarations = self.log, declared(self.plan.users)
        # An index that nobody asks for is not made.
        others = log.item_events if look_at_counterparts(declarations) else None
        source = Source(log, _no_events(log).user_events, log.users, log.items, others)
        return self._feature_reader(source, self.plan.users, declarations)

    @cached_property
    def _features_of_items(self) -> FeatureReader:
        """Of no events yet."""
        log, declarations = self.log, declared(self.plan.items)
        others = log.user_events if look_at_counterparts(declarations) else None
        source = Source(log, _no_events(log).item_events, log.items, log.users, others)
        return self._feature_reader(source, self.plan.items, declarations)

    @cached_property
    def _pair_features(self) -> FeatureReader:
        source = Source(self.log, self.pair_index.events)
        return self._feature_reader(source, self.plan.users, declared_of_pairs(self.plan.users))

    def _feature_reader(
        self, source: Source, plan: FeaturePlan, declarations: tuple[Declaration, ...]
    ) -> FeatureReader:
        return FeatureReader(source, plan, declarations, use_compiler=self._use_compiler)

    def history(self, entity: EntityKind) -> History:
        """The history whose entities are of this kind."""
        match entity:
            case "user":
                return self.users
            case "item":
                return self.items
            case "pair":
                return self.pairs

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The columns of `Inputs.numbers`, in order."""
        return declared_features(self.plan, entity)

    def user_inputs(self, users: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of users at a cutoff."""
        cutoffs_us = _each(cutoff_us, len(users))
        ends = self.users.index.position(users, cutoffs_us)
        return Inputs(
            users=users,
            items=np.full(len(users), -1, dtype=np.int64),
            cutoffs_us=cutoffs_us,
            ends=ends,
            numbers=self._user_features.read(users, ends, cutoffs_us),
            categories=self.category_codes["user"][users],
            item_codes=np.zeros(len(users), dtype=np.int64),
        )

    def item_inputs(self, items: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of items at a cutoff."""
        cutoffs_us = _each(cutoff_us, len(items))
        ends = self.items.index.position(items, cutoffs_us)
        return Inputs(
            users=np.full(len(items), -1, dtype=np.int64),
            items=items,
            cutoffs_us=cutoffs_us,
            ends=np.zeros(len(items), dtype=np.int64),
            numbers=self._item_features.read(items, ends, cutoffs_us),
            categories=self.category_codes["item"][items],
            item_codes=self.item_codes[items],
        )

    def pair_inputs(self, users: Codes, items: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of pairs at a cutoff: the user's, the item's and their own past."""
        cutoffs_us = _each(cutoff_us, len(users))
        user, of_user = _once(self.user_inputs, users, cutoffs_us)
        item, of_item = _once(self.item_inputs, items, cutoffs_us)
        codes = self.pair_index.codes(users, items)
        met = codes >= 0
        ends = np.zeros(len(codes), dtype=np.int64)
        ends[met] = self.pair_index.events.position(codes[met], cutoffs_us[met])
        sides = user.numbers.shape[1], item.numbers.shape[1]
        numbers = np.empty((len(codes), len(self.features("pair"))), dtype=np.float32)
        numbers[:, sum(sides) :] = self._pair_features.read(codes, ends, cutoffs_us)
        # Some rows at a time: a copy of all of a side would be half as large as the whole.
        for start in range(0, len(codes), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            numbers[rows, : sides[0]] = user.numbers[of_user[rows]]
            numbers[rows, sides[0] : sum(sides)] = item.numbers[of_item[rows]]
        return Inputs(
            users=users,
            items=items,
            cutoffs_us=cutoffs_us,
            ends=user.ends[of_user],
            numbers=numbers,
            categories=np.concatenate([user.categories[of_user], item.categories[of_item]], axis=1),
            item_codes=item.item_codes[of_item],
        )

    def read(self, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows."""
        match rows.kind:
            case "user":
                inputs = self.user_inputs(rows.users, rows.cutoffs_us)
            case "item":
                inputs = self.item_inputs(rows.items, rows.cutoffs_us)
            case "pair":
                inputs = self.pair_inputs(rows.users, rows.items, rows.cutoffs_us)
        return ReadRows(inputs, self.sequences(inputs), self.is_cold(rows))

    def arrays(self, inputs: Inputs) -> dict[str, NDArray[np.generic]]:
        """What the network is fed with for these rows, sequences gathered."""
        return network_arrays(inputs, self.sequences(inputs))

    def sequences(self, inputs: Inputs) -> Sequences:
        """The last events of the users of these rows; an item has none."""
        if len(inputs) and inputs.users[0] >= 0:
            return self._sequences.read(inputs.users, inputs.ends, inputs.cutoffs_us)
        return Sequences.empty(len(inputs), self.plan.sequence_length)

    def is_cold(self, rows: Rows) -> NDArray[np.bool_]:
        """(R,) who had no event by the cutoff; of a pair the user."""
        if rows.kind == "item":
            return _without_events(self.items, rows.items, rows.cutoffs_us)
        return _without_events(self.users, rows.users, rows.cutoffs_us)

    def active(self, entity: EntityKind, cutoff_us: int, lookback_days: float) -> NDArray[np.int64]:
        """The users or items with an event in the days before the cutoff."""
        history = self.history(entity)
        rows = history_of.Rows(np.arange(len(history.index), dtype=np.int64), cutoff_us)
        return np.flatnonzero(history.end(rows) > history.start(rows, lookback_days))


def _no_events(log: EventLog) -> EventLog:
    return log.take(np.zeros(0, dtype=np.int64))


def _without_events(history: History, codes: Codes, cutoffs_us: Codes) -> NDArray[np.bool_]:
    nothing: NDArray[np.bool_] = history.index.position(codes, cutoffs_us) == history.index.starts(
        codes
    )
    return nothing


def _each(cutoff_us: Cutoffs, rows: int) -> Codes:
    if isinstance(cutoff_us, np.ndarray):
        return cutoff_us
    return np.full(rows, cutoff_us, dtype=np.int64)


def _once(
    read: Callable[[Codes, Cutoffs], Inputs], codes: Codes, cutoffs_us: Codes
) -> tuple[Inputs, Codes]:
    """The inputs of each entity at each cutoff, read once, and which of them are each row's."""
    moments_us, moment = np.unique(cutoffs_us, return_inverse=True)
    packed, row = np.unique((moment << 32) | codes, return_inverse=True)
    return read(packed & 0xFFFFFFFF, moments_us[packed >> 32]), row


def _category_codes(table: Entities, plan: FeaturePlan) -> NDArray[np.int64]:
    """(entities, categorical attributes) codes; a value that the plan does not know is 0."""
    codes = np.full((len(table), len(plan.categories)), UNKNOWN, dtype=np.int64)
    for column, (name, known) in enumerate(plan.categories.items()):
        if table.has(name):
            codes[:, column] = table.places_among(name, known) + 1
    return codes
