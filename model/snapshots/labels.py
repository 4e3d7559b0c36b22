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

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, PERIOD_LABELS, exposure_hours, period_codes
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
    """Labels of the entities that `outcomes` was asked about.

    Args:
        outcomes: who, when, and what happens to them.
        choices: of the same log.
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
        if not has_label(task, self._outcomes.asked.cutoff_us, self._end_us):
            return np.full(len(eligible), np.nan, dtype=np.float32)
        labels = self._plain(task).astype(np.float32)
        labels[~eligible] = np.nan
        return labels

    def _plain(self, task: Task) -> Floats:
        match task.target:
            case Occurs():
                return (self._outcomes.total(self._ahead(task)) > 0).astype(np.float64)
            case Count(of="days"):
                return self._outcomes.days(self._ahead(task))
            case Count(of="events"):
                return self._outcomes.total(self._ahead(task))
            case Count():
                found = self._ahead(task)
                units = self._outcomes.total(found, self._outcomes.log.units[found.rows])
                return np.maximum(np.rint(units), 0)
            case Sum():
                found = self._ahead(task)
                cents = self._outcomes.log.value_cents[found.rows].astype(np.float64)
                return np.maximum(self._outcomes.total(found, cents), 0) / 100
            case TimeTo():
                return self._days_to(task)
            case Next() | Column():
                return self._first_value(task)
        raise AssertionError(task.target.kind)

    def _window(self, task: Task) -> tuple[int, int]:
        start_us = self._outcomes.asked.cutoff_us + days_us(task.start_days)
        return start_us, start_us + days_us(task.horizon_days)

    def _ahead(self, task: Task) -> Happened:
        choice = self._choices.rows(task.target.event_type, task.target.where)
        return self._outcomes.happened(choice, *self._window(task))

    def _days_to(self, task: Task) -> Floats:
        first = self._outcomes.first(self._ahead(task))
        times_us = self._outcomes.log.time_us[first] - self._window(task)[0]
        return np.where(first >= 0, times_us / MICROSECONDS_PER_DAY, np.inf)

    def _first_value(self, task: Task) -> Floats:
        """What the first event that says something of the asked attribute says."""
        log, name = self._outcomes.log, asked_attribute(task)
        found = self._ahead(task)
        if name is None:
            values: tuple[str, ...] | None = log.event_types
            data: NDArray[np.generic] = log.event_type[found.rows]
        else:
            attribute = self._choices.attribute(name)
            values, data = attribute.values, attribute.of_events(log, found.rows)
            known = ~np.isnan(data) if values is None else data >= 0
            found = Happened(found.rows[known], found.owner[known])
            data = data[known]
        numbers = data.astype(np.float64)
        if values is not None:
            numbers = class_codes(values, self._classes[task.name])[data.astype(np.int64)]
        first = self._outcomes.first(found)
        position = np.searchsorted(found.rows, first)
        return np.where(first >= 0, np.append(numbers, np.nan)[position], np.nan)

    def _periods(self, task: Task, target: PeakPeriod) -> PeriodLabels:
        outcomes, (start_us, end_us) = self._outcomes, self._window(task)
        zone = outcomes.log.time_zone
        until_us = min(end_us, self._end_us)
        share = seen_share(target, start_us, until_us, end_us, zone)
        choice = self._choices.rows(target.event_type, target.where)
        found = outcomes.happened(choice, start_us, until_us)
        codes = period_codes(outcomes.log.time_us[found.rows], target.period, zone)
        units = (
            # Returns booked under the same type count as none.
            np.maximum(outcomes.log.units[found.rows], 0)
            if target.of == "units"
            else np.ones(len(found.rows))
        )
        amounts = outcomes.totals(found, codes, len(share), units)
        enough = until_us - start_us >= MIN_CYCLE_SEEN * (end_us - start_us)
        amounts[(amounts.sum(axis=1) <= 0) | (not enough)] = np.nan
        return PeriodLabels(
            amounts=amounts.astype(np.float32),
            exposure=np.broadcast_to(share.astype(np.float32), amounts.shape).copy(),
        )

    def _eligible(self, task: Task) -> NDArray[np.bool_]:
        """(R,) who can be asked: by rules of the past, and by what the conditions say of the row.

        A condition on the row's own user or item is true of all its events or of none.
        """
        asked = self._outcomes.asked
        eligible = np.ones(len(asked), dtype=bool)
        for rule in task.eligible:
            choice = self._choices.rows(rule.event_type, ())
            after_us = asked.cutoff_us - days_us(rule.within_days)
            seen = self._outcomes.happened(choice, after_us, asked.cutoff_us)
            eligible &= self._outcomes.total(seen) >= rule.at_least
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
