"""What a column says on average of a user's or an item's other events.

Inputs of a log without times. An event must not see its own label: the pairs are dealt out to a few
groups, and an event sees the other groups alone (out-of-fold target statistics; Micci-Barreca,
SIGKDD Explorations 3, 2001). The label of the event cannot be had by subtraction either, as it
could if only the event itself were left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.events import EventLog
from model.events.index import packed_pairs
from model.snapshots.choices import Choices
from model.snapshots.classes import Classes, class_codes
from model.snapshots.formulas import Feature
from model.tasks import Column, Task

GROUPS = 10
STRENGTH = 3.0
"""So many events of the average count beside the entity's own."""
MAX_SHARES = 8

Side = Literal["user", "item"]
Floats = NDArray[np.float64]


class Statistic(BaseModel):
    """One column's statistics: its mean, or the shares of its classes, and how much is known.

    `averages` are over everybody: one mean, or a share per class.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    target: Column
    classes: Classes
    averages: tuple[float, ...]

    def features(self, side: Side) -> Iterator[Feature]:
        """The columns of one side, in order."""
        of = f"{self.target.column} of the {side}'s other events"
        for label in self.classes[:MAX_SHARES] or ("mean",):
            name = f"share_{label}" if self.classes else "mean"
            meaning = f"share of {label} in {of}" if self.classes else f"mean {of}"
            unit = "share" if self.classes else self.target.column
            yield Feature(f"{side}_{self.name}_{name}", unit, meaning)
        yield Feature(f"{side}_{self.name}_known", "log(1 + events)", f"how many {of} are known")


def learn_statistics(
    log: EventLog, tasks: Iterable[Task], classes: Mapping[str, Classes]
) -> tuple[Statistic, ...]:
    """One for each column that is asked for, with the averages of the log.

    Args:
        log: what may be learned from.
        tasks: those that ask for a column.
        classes: of the tasks that ask for one of a few values.
    """
    choices = Choices(log)
    found: dict[Column, Statistic] = {}
    for task in tasks:
        target = task.target
        if not isinstance(target, Column) or target in found:
            continue
        taken = sum(statistic.target.column == target.column for statistic in found.values())
        name = f"{target.column}_{taken + 1}" if taken else target.column
        own = classes.get(task.name, ())
        values = column_values(choices, target, own)
        known = values[~np.isnan(values)]
        found[target] = Statistic(
            name=name, target=target, classes=own, averages=_averages(known, len(own))
        )
    return tuple(found.values())


def _averages(known: Floats, classes: int) -> tuple[float, ...]:
    """The mean of numbers, or the share of each class."""
    if classes:
        counts = np.bincount(known.astype(np.int64), minlength=classes)
        return tuple((counts / max(len(known), 1)).tolist())
    return (float(known.mean()) if len(known) else 0.0,)


def column_values(choices: Choices, target: Column, classes: Classes) -> Floats:
    """(N,) what each event's column says: a number or a class; NaN if nothing, or not asked."""
    attribute = choices.attribute(f"event.{target.column}")
    data = attribute.data.astype(np.float64)
    if attribute.values is not None:
        data = class_codes(attribute.values, classes)[attribute.data.astype(np.int64)]
    values = np.full(len(choices.log), np.nan)
    rows = choices.places(target.event_type, target.where)
    values[rows] = data[rows]
    return values


class KnownColumn:
    """The values of a column that are known, and their statistics per user and item.

    Args:
        log: the events.
        statistic: which column.
        values: (N,) see `column_values`.
        known: (N,) which events may be looked at.
    """

    def __init__(
        self, log: EventLog, statistic: Statistic, values: Floats, known: NDArray[np.bool_]
    ) -> None:
        self._log = log
        self._statistic = statistic
        self._values = values
        self._rows = np.flatnonzero(known & ~np.isnan(values))

    def of_entities(self, side: Side, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """(R, columns) of users or items, by all their known events."""
        return self._columns(side, codes, None)

    def of_events(self, side: Side, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(R, columns) of the users or items of events, by the known events of other groups."""
        owner = self._log.user if side == "user" else self._log.item
        return self._columns(side, owner[rows].astype(np.int64), groups(self._log)[rows])

    def _columns(
        self, side: Side, codes: NDArray[np.int64], group: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        statistic, values = self._statistic, self._values[self._rows]
        count = self._others(side, codes, group, np.ones(len(values)))
        amounts = (
            [values == place for place in range(len(statistic.classes))][:MAX_SHARES]
            if statistic.classes
            else [values]
        )
        columns = []
        for amount, average in zip(amounts, statistic.averages, strict=False):
            total = self._others(side, codes, group, amount.astype(np.float64))
            columns.append((total + STRENGTH * average) / (count + STRENGTH))
        return np.stack([*columns, np.log1p(count)], axis=1).astype(np.float32)

    def _others(
        self,
        side: Side,
        codes: NDArray[np.int64],
        group: NDArray[np.int64] | None,
        amounts: Floats,
    ) -> Floats:
        """(R,) the sum over the entity's known events; without those of a row's own group."""
        owner = (self._log.user if side == "user" else self._log.item)[self._rows].astype(np.int64)
        owned = owner >= 0
        cells = owner[owned] * GROUPS + groups(self._log)[self._rows][owned]
        entities = len(self._log.users if side == "user" else self._log.items)
        sums = np.bincount(cells, weights=amounts[owned], minlength=entities * GROUPS)
        per_group = sums.reshape(entities, GROUPS)
        totals = per_group.sum(axis=1)[codes]
        found: Floats = totals if group is None else totals - per_group[codes, group]
        return found


def groups(log: EventLog) -> NDArray[np.int64]:
    """(N,) the group of each event; all events of a pair are in one."""
    mixed = packed_pairs(log.user, log.item).astype(np.uint64)
    # The mixing of SplitMix64 (Steele et al., OOPSLA 2014): neighbours come into any group.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(GROUPS)).astype(np.int64)
