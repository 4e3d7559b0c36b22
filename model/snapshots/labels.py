"""What happened after a cutoff, per task.

A label looks at the events with `cutoff + start < t <= cutoff + start + horizon` that are of the
target's type and fulfil its conditions. Where the window reaches beyond what may be looked at, the
label is missing (NaN), never zero; a peak period keeps the periods that were seen and says how much
of each was. A label is undefined (NaN too) where the question has no answer: the category of a
next event that does not come; an entity that the task is not declared for (`eligible`); an item of
another category than the one that a condition asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events import (
    MICROSECONDS_PER_DAY,
    PERIOD_LABELS,
    exposure_hours,
    period_codes,
)
from model.events.amounts import UNIT_STEP
from model.snapshots.choices import Choices, fulfils
from model.snapshots.classes import Classes, class_codes
from model.snapshots.outcomes import Floats, Happened, Outcomes, days_us
from model.tasks import (
    Column,
    Count,
    Next,
    Occurs,
    PeakPeriod,
    Sum,
    Task,
    TimeTo,
    asked_attribute,
)

MIN_CYCLE_SEEN = 0.25
"""A peak-period label needs at least this share of its cycle."""


@dataclass(frozen=True)
class PeriodLabels:
    """Sales per period of the coming cycle.

    Attributes:
        amounts: (R, periods) units or events; a row of NaN where the label is missing.
        exposure: (R, periods) hours of each period that were seen, over its hours in a cycle.
    """

    amounts: NDArray[np.float32]
    exposure: NDArray[np.float32]


Label = NDArray[np.float32] | PeriodLabels


class Labels:
    """Labels of the rows that `outcomes` was asked about.

    Args:
        outcomes: who, when, and what happens to them.
        choices: of the same events.
        classes: of the tasks that ask for one of a few values, see `model.snapshots.classes`.
        label_end_us: no event after this may be looked at.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        choices: Choices,
        classes: Mapping[str, Classes],
        label_end_us: int,
    ) -> None:
        self._outcomes = outcomes
        self._asked = outcomes.asked
        self._events = outcomes.events
        self._choices = choices
        self._classes = classes
        self._end_us = label_end_us

    def of(self, task: Task) -> Label:
        """The label of each row.

        Shape:
            returns: (R,) 0 or 1 for `occurs`; events, units, days or money; days from the window's
                start for `time_to`, infinite where nothing comes; the number or the code of the
                class for `next` and `column`. NaN where missing or undefined
        """
        eligible = self._eligible(task)
        if isinstance(task.target, PeakPeriod):
            periods = self._periods(task, task.target)
            periods.amounts[~eligible] = np.nan
            return periods
        known = self._asked.cutoffs_us + days_us(task.end_days) <= self._end_us
        if not known.any():
            return np.full(len(eligible), np.nan, dtype=np.float32)
        labels = self._plain(task).astype(np.float32)
        labels[~(known & eligible)] = np.nan
        return labels

    def _plain(self, task: Task) -> NDArray[Any]:
        found = self._ahead(task)
        match task.target:
            case Occurs():
                return found.counts > 0
            case Count(of="days"):
                return self._outcomes.days(found)
            case Count(of="events"):
                return found.counts
            case Count():
                # In whole steps, whose running totals are exact.
                steps = (self._events.units[found.choice] / UNIT_STEP).astype(np.int64)
                units: Floats = np.rint(found.total(steps) * UNIT_STEP)
                return np.maximum(units, 0)
            case Sum():
                return np.maximum(found.total(self._events.value_cents[found.choice]), 0) / 100
            case TimeTo():
                return self._days_to(task, found)
            case Next() | Column():
                return self._first_value(task)
        raise AssertionError(task.target.kind)

    def _window(self, task: Task) -> tuple[int, int]:
        """From when to when after the cutoff, in microseconds."""
        start_us = days_us(task.start_days)
        return start_us, start_us + days_us(task.horizon_days)

    def _ahead(self, task: Task) -> Happened:
        choice = self._choices.places(task.target.event_type, task.target.where)
        return self._outcomes.happened(choice, *self._window(task))

    def _days_to(self, task: Task, found: Happened) -> Floats:
        first = found.first
        starts_us = self._asked.cutoffs_us + self._window(task)[0]
        times_us = self._events.time_us[np.maximum(first, 0)] if len(found.choice) else 0
        return np.where(first >= 0, (times_us - starts_us) / MICROSECONDS_PER_DAY, np.inf)

    def _first_value(self, task: Task) -> Floats:
        """What the first event that says something of the asked attribute says."""
        name, target = asked_attribute(task), task.target
        if name is None:
            choice = self._choices.places(target.event_type, target.where)
            values: tuple[str, ...] | None = self._choices.log.event_types
            data: NDArray[np.generic] = self._events.event_type[choice]
        else:
            values = self._choices.attribute(name).values
            choice, data = self._choices.told(target.event_type, target.where, name)
        numbers = data.astype(np.float64)
        if values is not None:
            numbers = class_codes(values, self._classes[task.name])[data.astype(np.int64)]
        found = self._outcomes.happened(choice, *self._window(task))
        some = np.flatnonzero(found.starts < found.stops)
        labels = np.full(len(self._asked), np.nan)
        labels[some] = numbers[found.starts[some]]
        return labels

    def _periods(self, task: Task, target: PeakPeriod) -> PeriodLabels:
        start_us, end_us = self._window(task)
        choice = self._choices.places(target.event_type, target.where)
        found = self._outcomes.happened(choice, start_us, end_us, self._end_us)
        rows, slots = found.one_by_one()
        zone, periods = self._choices.log.time_zone, len(PERIOD_LABELS[target.period])
        codes = period_codes(self._events.time_us[slots], target.period, zone)
        units = (
            # Returns booked under the same type count as none.
            np.maximum(self._events.units[slots], 0)
            if target.of == "units"
            else np.ones(len(slots))
        )
        size = len(self._asked)
        cells = np.bincount(rows * periods + codes, weights=units, minlength=size * periods)
        amounts = cells.astype(np.float64).reshape(-1, periods)
        cutoffs_us = self._asked.cutoffs_us
        until_us = np.minimum(cutoffs_us + end_us, self._end_us)
        enough = until_us - cutoffs_us - start_us >= MIN_CYCLE_SEEN * (end_us - start_us)
        amounts[(amounts.sum(axis=1) <= 0) | ~enough] = np.nan
        moments_us, moment = np.unique(cutoffs_us, return_inverse=True)
        shares = [
            seen_share(
                target, at_us + start_us, min(at_us + end_us, self._end_us), at_us + end_us, zone
            )
            for at_us in moments_us.tolist()
        ]
        return PeriodLabels(
            amounts=amounts.astype(np.float32),
            exposure=np.array(shares, dtype=np.float32).reshape(-1, periods)[moment],
        )

    def _eligible(self, task: Task) -> NDArray[np.bool_]:
        """(R,) who can be asked: by rules of the past, and by what the conditions say of the row.

        A condition on the row's own user or item is true of all its events or of none.
        """
        asked = self._asked
        eligible = np.ones(len(asked), dtype=bool)
        for rule in task.eligible:
            choice = self._choices.places(rule.event_type, ())
            seen = self._outcomes.happened(choice, -days_us(rule.within_days), 0)
            eligible &= seen.counts >= rule.at_least
        for condition in task.target.where:
            attribute = self._choices.attribute(condition.attribute)
            codes = {"user": asked.users, "item": asked.items}.get(attribute.owner)
            if codes is not None and asked.entity in {attribute.owner, "pair"}:
                eligible &= fulfils(condition, attribute.data[codes], attribute.values)
        return eligible


def has_label(task: Task, cutoff_us: int, label_end_us: int) -> bool:
    """Whether the task's labels of a cutoff are known; of a peak period, in part at least."""
    if isinstance(task.target, PeakPeriod):
        return cutoff_us + days_us(task.start_days) < label_end_us
    return cutoff_us + days_us(task.end_days) <= label_end_us


def seen_share(
    target: PeakPeriod, start_us: int, until_us: int, end_us: int, time_zone: str
) -> Floats:
    """(periods,) how much of each period between the window's start and its end was seen."""
    if until_us <= start_us:
        return np.zeros(len(PERIOD_LABELS[target.period]))
    whole = exposure_hours(start_us, end_us, target.period, time_zone)
    seen = exposure_hours(start_us, until_us, target.period, time_zone)
    return np.divide(seen, whole, out=np.zeros_like(seen), where=whole > 0)
