"""What happened after a cutoff, per task.

A label looks at the events with `cutoff < t <= cutoff + horizon`. Where the window reaches beyond
what may be looked at, the label is missing (NaN), never zero; a peak period keeps the periods
that were seen and says how much of each was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, PERIOD_LABELS, exposure_hours
from model.snapshots.history import Floats, History, Rows
from model.snapshots.seasons import Season, period_totals
from model.tasks import Count, Occurs, PeakPeriod, Sum, Task

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


def label(history: History, task: Task, rows: Rows, label_end_us: int) -> Label:
    """The label of each row.

    Args:
        history: of the task's entity kind (the history by pair for pairs).
        task: what is asked.
        rows: entities at one cutoff.
        label_end_us: no event after this may be looked at.

    Shape:
        returns: (R,) events, units, days or money; 0 or 1 for `occurs`; NaN where missing
    """
    target = task.target
    if isinstance(target, PeakPeriod):
        return _period_labels(history, task, target, rows, label_end_us)
    if rows.cutoff_us + task.horizon_days * MICROSECONDS_PER_DAY > label_end_us:
        return np.full(len(rows), np.nan, dtype=np.float32)
    match target:
        case Occurs():
            happened = _ahead(history, task, rows, "events") > 0
            return happened.astype(np.float32)
        case Count(of="days"):
            ends = history.end(rows), history.end(rows, task.horizon_days)
            return history.active_days(target.event_type, *ends).astype(np.float32)
        case Count():
            amount = _ahead(history, task, rows, target.of)
            return np.maximum(np.rint(amount), 0).astype(np.float32)
        case Sum():
            cents = _ahead(history, task, rows, "value_cents")
            return (np.maximum(cents, 0) / 100).astype(np.float32)
        case _:
            raise AssertionError(f"a label of kind {target.kind} is not made here")


def _ahead(history: History, task: Task, rows: Rows, measure: str) -> Floats:
    sums = history.prefix_sum(measure, task.target.event_type)  # type: ignore[arg-type]
    ahead: Floats = sums[history.end(rows, task.horizon_days)] - sums[history.end(rows)]
    return ahead


def _period_labels(
    history: History, task: Task, target: PeakPeriod, rows: Rows, label_end_us: int
) -> PeriodLabels:
    until_us = min(rows.cutoff_us + task.horizon_days * MICROSECONDS_PER_DAY, label_end_us)
    share = seen_share(target, rows.cutoff_us, until_us, task.horizon_days, history.log.time_zone)
    amounts = period_totals(history, rows, Season.of_target(target), rows.cutoff_us, until_us)
    seen_us = until_us - rows.cutoff_us
    enough = seen_us >= MIN_CYCLE_SEEN * task.horizon_days * MICROSECONDS_PER_DAY
    missing = (amounts.sum(axis=1) <= 0) | (not enough)
    amounts[missing] = np.nan
    return PeriodLabels(
        amounts=amounts.astype(np.float32),
        exposure=np.broadcast_to(share.astype(np.float32), (len(rows), len(share))).copy(),
    )


def seen_share(
    target: PeakPeriod, cutoff_us: int, until_us: int, horizon_days: int, time_zone: str
) -> Floats:
    """(periods,) how much of each period between the cutoff and the horizon was seen."""
    end_us = cutoff_us + horizon_days * MICROSECONDS_PER_DAY
    if until_us <= cutoff_us:
        return np.zeros(len(PERIOD_LABELS[target.period]))
    whole = exposure_hours(cutoff_us, end_us, target.period, time_zone)
    seen = exposure_hours(cutoff_us, until_us, target.period, time_zone)
    return np.divide(seen, whole, out=np.zeros_like(seen), where=whole > 0)
