"""Reads a log as the model sees it: the inputs of any entities at a cutoff.

Training and serving both come here, so their features cannot differ.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.events import Entities, EventLog, PairEvents
from model.snapshots.aggregates import Feature, aggregate, declared_features
from model.snapshots.choices import Choices
from model.snapshots.features import UNKNOWN, FeaturePlan, SnapshotPlan
from model.snapshots.history import History, Rows, item_history, user_history
from model.snapshots.inputs import Inputs
from model.snapshots.pair_features import declared_pair_features, pair_aggregate
from model.snapshots.sequences import SequenceReader, Sequences
from model.tasks import EntityKind

_HISTORY_OF: dict[EntityKind, str] = {"user": "users", "item": "items", "pair": "pairs"}


class SnapshotReader:
    """The histories of a log and what a plan makes of them.

    Args:
        log: the events.
        plan: what the model was made with.
    """

    def __init__(self, log: EventLog, plan: SnapshotPlan) -> None:
        self.log = log
        self.plan = plan
        self._features: dict[EntityKind, tuple[Feature, ...]] = {}

    @cached_property
    def users(self) -> History:
        """The events of each user."""
        return user_history(self.log)

    @cached_property
    def items(self) -> History:
        """The events of each item."""
        return item_history(self.log)

    @property
    def pair_index(self) -> PairEvents:
        """The codes of the pairs that have events."""
        return self.log.pair_events

    @cached_property
    def pairs(self) -> History:
        """The events of each pair that has some."""
        return History(self.log, self.pair_index.events, self.log.item)

    @cached_property
    def choices(self) -> Choices:
        """The events that targets look at."""
        return Choices(self.log)

    @cached_property
    def item_codes(self) -> NDArray[np.int64]:
        """(items,) the model's code of each of the log's items."""
        known = pd.Index(self.plan.item_ids, dtype="str")
        return (known.get_indexer(self.log.items.ids) + 1).astype(np.int64)

    @cached_property
    def _sequences(self) -> SequenceReader:
        return SequenceReader(
            self.users, self.item_codes, self.plan.users.event_types, self.plan.sequence_length
        )

    def history(self, entity: EntityKind) -> History:
        """The history whose entities are of this kind."""
        history: History = getattr(self, _HISTORY_OF[entity])
        return history

    def features(self, entity: EntityKind) -> tuple[Feature, ...]:
        """The columns of `Inputs.numbers`, in order."""
        if entity not in self._features:
            self._features[entity] = self._declared(entity)
        return self._features[entity]

    def _declared(self, entity: EntityKind) -> tuple[Feature, ...]:
        match entity:
            case "user":
                return declared_features(self.users, self.plan.users)
            case "item":
                return declared_features(self.items, self.plan.items)
            case "pair":
                return (
                    *(_prefixed("user", f) for f in self.features("user")),
                    *(_prefixed("item", f) for f in self.features("item")),
                    *declared_pair_features(self.plan.users),
                )

    def user_inputs(self, users: NDArray[np.int64], cutoff_us: int) -> Inputs:
        """The inputs of users at a cutoff."""
        rows = Rows(users, cutoff_us)
        return Inputs(
            users=users,
            items=np.full(len(users), -1, dtype=np.int64),
            cutoffs_us=np.full(len(users), cutoff_us, dtype=np.int64),
            ends=self.users.end(rows),
            numbers=aggregate(self.users, self.plan.users, rows),
            categories=_category_codes(self.log.users, self.plan.users)[users],
            item_codes=np.zeros(len(users), dtype=np.int64),
        )

    def item_inputs(self, items: NDArray[np.int64], cutoff_us: int) -> Inputs:
        """The inputs of items at a cutoff."""
        rows = Rows(items, cutoff_us)
        return Inputs(
            users=np.full(len(items), -1, dtype=np.int64),
            items=items,
            cutoffs_us=np.full(len(items), cutoff_us, dtype=np.int64),
            ends=np.zeros(len(items), dtype=np.int64),
            numbers=aggregate(self.items, self.plan.items, rows),
            categories=_category_codes(self.log.items, self.plan.items)[items],
            item_codes=self.item_codes[items],
        )

    def pair_inputs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], cutoff_us: int
    ) -> Inputs:
        """The inputs of pairs at a cutoff: the user's, the item's and their own past."""
        distinct_users, of_user = np.unique(users, return_inverse=True)
        distinct_items, of_item = np.unique(items, return_inverse=True)
        user = self.user_inputs(distinct_users, cutoff_us).take(of_user)
        item = self.item_inputs(distinct_items, cutoff_us).take(of_item)
        codes = self.pair_index.codes(users, items)
        own = pair_aggregate(self.pairs, self.plan.users, codes, cutoff_us)
        return Inputs(
            users=users,
            items=items,
            cutoffs_us=user.cutoffs_us,
            ends=user.ends,
            numbers=np.concatenate([user.numbers, item.numbers, own], axis=1),
            categories=np.concatenate([user.categories, item.categories], axis=1),
            item_codes=item.item_codes,
        )

    def arrays(self, inputs: Inputs) -> dict[str, NDArray[np.generic]]:
        """What the network is fed with for these rows, sequences gathered; an item has none."""
        if len(inputs) and inputs.users[0] >= 0:
            sequence = self._sequences.read(inputs.users, inputs.ends, inputs.cutoffs_us)
        else:
            sequence = Sequences.empty(len(inputs), self.plan.sequence_length)
        return {
            "numbers": inputs.numbers,
            "categories": inputs.categories,
            "item": inputs.item_codes,
            "items": sequence.items,
            "types": sequence.types,
            "gaps": sequence.gaps,
            "amounts": sequence.amounts,
        }

    def active(self, entity: EntityKind, cutoff_us: int, lookback_days: float) -> NDArray[np.int64]:
        """The users or items with an event in the days before the cutoff."""
        history = self.history(entity)
        rows = Rows(np.arange(len(history.index), dtype=np.int64), cutoff_us)
        return np.flatnonzero(history.end(rows) > history.start(rows, lookback_days))


def _prefixed(owner: str, feature: Feature) -> Feature:
    return Feature(f"{owner}_{feature.name}", feature.unit, f"of the {owner}: {feature.meaning}")


def _category_codes(table: Entities, plan: FeaturePlan) -> NDArray[np.int64]:
    """(entities, categorical attributes) codes; a value that the plan does not know is 0."""
    codes = np.full((len(table), len(plan.categories)), UNKNOWN, dtype=np.int64)
    for column, (name, known) in enumerate(plan.categories.items()):
        if name in table.attributes:
            values = table.attributes[name].astype("str")
            codes[:, column] = pd.Index(known, dtype="str").get_indexer(pd.Index(values)) + 1
    return codes
