"""Reads a log without times: a row is an event, and nothing comes before or after another.

An entity's inputs are its attributes, how many events it has, and what the asked columns say on
average of its other events. There are no sequences, and what a pair has had with each other is left
out: the pair of an event has that very event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.config import Config
from model.events import EventLog
from model.snapshots.classes import Classes
from model.snapshots.column_statistics import KnownColumn, Side, column_values, learn_statistics
from model.snapshots.features import SnapshotPlan
from model.snapshots.fold_parts import FoldPart
from model.snapshots.inputs import Inputs
from model.snapshots.random_parts import RandomPart, some_rows
from model.snapshots.read_rows import Rows
from model.snapshots.reader import Codes, Cutoffs, SnapshotReader
from model.snapshots.sequences import Sequences
from model.tasks import Column, EntityKind, Task

SIDES: dict[EntityKind, tuple[Side, ...]] = {
    "user": ("user",),
    "item": ("item",),
    "pair": ("user", "item"),
}


def plan_of(log: EventLog, tasks: Sequence[Task], part: FoldPart, config: Config) -> SnapshotPlan:
    """Learn vocabularies, columns, classes and averages from what a training part may know.

    In a log without times and with tasks for several kinds of entities an event is known if it is
    for each of them.
    """
    if not isinstance(part, RandomPart):
        return SnapshotPlan.from_log(log, tasks, config, part.cutoffs_us[-1])
    known = np.ones(len(log), dtype=bool)
    for entity in {task.entity for task in tasks}:
        known &= part.known(log, entity)
    seen = some_rows(log, known)
    plan = SnapshotPlan.from_log(seen, tasks, config, 0)
    statistics = learn_statistics(seen, tasks, plan.classes)
    return plan.model_copy(update={"statistics": statistics})


class TimelessReader(SnapshotReader):
    """A reader whose rows know the other events of their users and items.

    Cutoffs mean nothing here.
    """

    def user_inputs(self, users: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of users, by all events of the log."""
        return self._with(super().user_inputs(users, cutoff_us), self._by_all("user", users))

    def item_inputs(self, items: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of items, by all events of the log."""
        return self._with(super().item_inputs(items, cutoff_us), self._by_all("item", items))

    def pair_inputs(self, users: Codes, items: Codes, cutoff_us: Cutoffs) -> Inputs:
        """The inputs of pairs, also of those that have no event, by all events of the log."""
        statistics = [*self._by_all("user", users), *self._by_all("item", items)]
        return self._with(self._plain("pair", users, items, cutoff_us), statistics)

    def event_inputs(
        self, entity: EntityKind, rows: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> Inputs:
        """The inputs of the entities of events, which do not show what the event's columns say.

        Args:
            entity: the kind that is asked about.
            rows: (R,) events of the log.
            known: (N,) events whose columns may be looked at.
        """
        users, items = self.log.user[rows].astype(np.int64), self.log.item[rows].astype(np.int64)
        statistics = [
            KnownColumn(self.log, statistic, self._values[statistic.name], known).of_events(
                side, rows
            )
            for side in SIDES[entity]
            for statistic in self.plan.statistics
        ]
        return self._with(self._plain(entity, users, items, 0), statistics)

    def labels(self, target: Column, classes: Classes) -> NDArray[np.float64]:
        """(N,) what each event's column says: a number or a class; NaN if nothing, or not asked."""
        return column_values(self.choices, target, classes)

    def sequences(self, inputs: Inputs) -> Sequences:
        """Nothing comes after anything."""
        return Sequences.empty(len(inputs), self.plan.sequence_length)

    def is_cold(self, rows: Rows) -> NDArray[np.bool_]:
        """(R,) who has no event; the item's other events say as much of a pair as the user's."""
        cold = super().is_cold(rows)
        if rows.kind == "pair":
            cold &= super().is_cold(replace(rows, kind="item"))
        return cold

    def _plain(self, entity: EntityKind, users: Codes, items: Codes, cutoff_us: Cutoffs) -> Inputs:
        """Inputs without statistics."""
        match entity:
            case "user":
                return super().user_inputs(users, cutoff_us)
            case "item":
                return super().item_inputs(items, cutoff_us)
        user, item = super().user_inputs(users, cutoff_us), super().item_inputs(items, cutoff_us)
        return replace(
            user,
            items=items,
            numbers=np.concatenate([user.numbers, item.numbers], axis=1),
            categories=np.concatenate([user.categories, item.categories], axis=1),
            item_codes=item.item_codes,
        )

    @cached_property
    def _values(self) -> dict[str, NDArray[np.float64]]:
        return {
            statistic.name: self.labels(statistic.target, statistic.classes)
            for statistic in self.plan.statistics
        }

    def _by_all(self, side: Side, codes: Codes) -> list[NDArray[np.float32]]:
        everything = np.ones(len(self.log), dtype=bool)
        return [
            KnownColumn(self.log, statistic, self._values[statistic.name], everything).of_entities(
                side, codes
            )
            for statistic in self.plan.statistics
        ]

    @staticmethod
    def _with(inputs: Inputs, statistics: list[NDArray[np.float32]]) -> Inputs:
        return replace(inputs, numbers=np.concatenate([inputs.numbers, *statistics], axis=1))


def reader_of(log: EventLog, plan: SnapshotPlan) -> SnapshotReader:
    """The reader that a log needs."""
    return SnapshotReader(log, plan) if log.has_time else TimelessReader(log, plan)
