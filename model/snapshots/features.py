"""What the network reads about an entity at a cutoff, as declared columns.

A plan is made once, from the log as it was at the last training cutoff, and is stored with the
model: the same plan and code give the features of training and of serving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

import model.lazy_pandas as pd
from model.config import Config
from model.events import MICROSECONDS_PER_DAY, Entities, EventLog
from model.snapshots.classes import Classes, learn_classes
from model.snapshots.column_statistics import Statistic
from model.snapshots.personal_frequency import asked_affinities
from model.snapshots.seasons import Season
from model.tasks import EntityKind, PeakPeriod, PeriodName, Task

WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, 90, 365, None)
LAG_WEEKS = (2, 3, 4, 5)
TWO_YEARS_DAYS = 2 * 365
"""Of history, before what comes with the time of the year can be learned."""
MAX_EVENT_TYPES = 8
MAX_CATEGORIES = 200
MIN_CATEGORY_ROWS = 5
MIN_ITEM_EVENTS = 5
MAX_AFFINITIES = 1
MAX_AFFINITY_VALUES = 5
"""Of an attribute that no task asks for: more shares make the model worse, see docs/log.md."""
UNKNOWN = 0
"""The code of a category or item that the model has not met."""


class FeaturePlan(BaseModel):
    """Which features an entity kind has; everything that was learned from the log is in here.

    `categories` maps each categorical attribute to its known values: the code of the n-th is n + 1,
    0 is unknown or missing. `event_types` has the most frequent first, `valued_types` and
    `quantity_types` are those of them that come with money and with other quantities than 1.
    `own_periods` are the cycles whose shares of the entity's past are features, `affinities` the
    values of the counterparts' attributes whose shares are: the most frequent ones, and those that
    a task asks for. `only` names the features that are read; None is all of them. A plan of before
    `has_year_ago` was known is without those features.
    """

    model_config = ConfigDict(frozen=True)

    entity: EntityKind
    event_types: tuple[str, ...]
    windows_days: tuple[int | None, ...]
    has_value: bool
    has_quantity: bool
    has_price: bool
    has_annual_calendar: bool
    seasons: tuple[Season, ...]
    numbers: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    has_time: bool = True
    has_year_ago: bool = False
    valued_types: tuple[str, ...] = ()
    quantity_types: tuple[str, ...] = ()
    own_periods: tuple[PeriodName, ...] = ()
    affinities: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    only: tuple[str, ...] | None = None

    @property
    def counterpart(self) -> EntityKind:
        """What the entity interacts with."""
        return "item" if self.entity == "user" else "user"

    @classmethod
    def from_log(
        cls,
        log: EventLog,
        entity: EntityKind,
        tasks: Iterable[Task],
        history_days: float,
        affinities: Mapping[str, tuple[str, ...]],
    ) -> FeaturePlan:
        """Choose the features that the log can fill.

        Args:
            log: what is known at the last training cutoff.
            entity: user or item.
            tasks: their peak periods become seasons.
            history_days: from the log's start to the last training cutoff.
            affinities: values of the counterparts' attributes that tasks need.
        """
        counts = np.bincount(log.event_type, minlength=len(log.event_types))
        frequent = np.argsort(-counts, kind="stable")[:MAX_EVENT_TYPES]
        types = tuple(log.event_types[code] for code in frequent if counts[code])
        table, others = (log.users, log.items) if entity == "user" else (log.items, log.users)
        numbers, categories = _attributes(table)
        seasons = {
            Season.of_target(task.target)
            for task in tasks
            if isinstance(task.target, PeakPeriod) and task.entity == entity
        }
        return cls(
            entity=entity,
            event_types=types,
            windows_days=tuple(
                days for days in WINDOWS_DAYS if days is None or days < 2 * history_days
            ),
            # `log.has_value` would also tell of events that are yet to come.
            has_value=bool((log.value_cents != 0).any()),
            has_quantity=bool((log.units != 1).any()),
            has_price=bool((log.price_cents >= 0).any()),
            has_annual_calendar=history_days >= TWO_YEARS_DAYS,
            has_year_ago=history_days >= TWO_YEARS_DAYS,
            seasons=tuple(sorted(seasons, key=str)),
            numbers=numbers,
            categories=categories,
            has_time=log.has_time,
            valued_types=_types_where(log, types, log.value_cents != 0),
            quantity_types=_types_where(log, types, log.units != 1),
            own_periods=_own_periods(history_days),
            affinities={**_affinities(others), **affinities},
        )


class SnapshotPlan(BaseModel):
    """Everything that turns a log into the network's inputs.

    `item_ids` are the items with an embedding: the code of the n-th is n + 1. `classes` are the
    values that the tasks of this name choose from, `statistics` what a log without times tells of
    an entity's other events.
    """

    model_config = ConfigDict(frozen=True)

    users: FeaturePlan
    items: FeaturePlan
    item_ids: tuple[str, ...]
    sequence_length: int
    classes: dict[str, Classes] = Field(default_factory=dict)
    statistics: tuple[Statistic, ...] = ()

    @classmethod
    def from_log(
        cls, log: EventLog, tasks: Iterable[Task], config: Config, until_us: int
    ) -> SnapshotPlan:
        """Learn vocabularies and columns from the events up to a time.

        Args:
            log: the whole log; what comes after `until_us` is not looked at.
            tasks: their peak periods become seasons.
            config: sizes.
            until_us: the last training cutoff.
        """
        tasks = tuple(tasks)
        known = log.until(until_us)
        history_days = (until_us - log.first_us) / MICROSECONDS_PER_DAY
        counts = np.bincount(known.item[known.item >= 0], minlength=len(log.items))
        frequent = np.argsort(-counts, kind="stable")[: config.item_vocabulary]
        frequent = np.sort(frequent[counts[frequent] >= MIN_ITEM_EVENTS])
        classes = learn_classes(known, tasks)
        met = asked_affinities(tasks, classes)
        return cls(
            users=FeaturePlan.from_log(known, "user", tasks, history_days, met),
            items=FeaturePlan.from_log(known, "item", tasks, history_days, {}),
            item_ids=tuple(map(str, log.items.ids[frequent])),
            sequence_length=config.sequence_length,
            classes=classes,
        )

    def for_entity(self, entity: EntityKind) -> tuple[FeaturePlan, ...]:
        """The plans whose columns an entity kind's rows have; a pair has both."""
        match entity:
            case "user":
                return (self.users,)
            case "item":
                return (self.items,)
            case "pair":
                return (self.users, self.items)


def _types_where(
    log: EventLog, types: tuple[str, ...], chosen: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Which of the types have such an event."""
    found = {log.event_types[code] for code in np.unique(log.event_type[chosen])}
    return tuple(name for name in types if name in found)


def _own_periods(history_days: float) -> tuple[PeriodName, ...]:
    """The cycles that the past holds often enough for a share to say something."""
    cycles: tuple[tuple[PeriodName, float], ...] = (("weekday", 56), ("month_of_year", 365))
    return tuple(period for period, days in cycles if history_days >= days)


def _affinities(table: Entities) -> dict[str, tuple[str, ...]]:
    """The most frequent values of the first categorical attributes, in order of their names."""
    _, categories = _attributes(table)
    found = {}
    for name in list(categories)[:MAX_AFFINITIES]:
        counts = table.attributes[name].dropna().astype("str").value_counts()
        kept = [value for value in counts.index if value in set(categories[name])]
        found[name] = tuple(sorted(kept[:MAX_AFFINITY_VALUES]))
    return found


def _attributes(table: Entities) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    numbers: list[str] = []
    categories: dict[str, tuple[str, ...]] = {}
    for name in map(str, table.attributes.columns):
        column = table.attributes[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            numbers.append(name)
            continue
        counts = column.dropna().astype("str").value_counts()
        known = counts[counts >= MIN_CATEGORY_ROWS].index[:MAX_CATEGORIES]
        if len(known) > 1:
            categories[name] = tuple(sorted(map(str, known)))
    return tuple(numbers), categories
