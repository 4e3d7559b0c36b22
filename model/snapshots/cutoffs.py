"""When is learned from, validated and tested: cutoffs in time, with an embargo of one horizon.

    log start .... training cutoffs | embargo | validation | embargo | test .... last event

A label may only look at events up to its part's `label_end_us`: the first cutoff of the next part.
So no event is label in one part and input of a later one, and each part's labels lie strictly
before the cutoffs of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.errors import NotEnoughData
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.tasks import Task

MIN_HISTORY_DAYS = 90
LONG_HORIZON_SHARE = 0.2
MAX_VALIDATION_CUTOFFS = 3
_SECOND_US = 1_000_000


@dataclass(frozen=True)
class Part:
    """Some cutoffs, and how far their labels may look."""

    cutoffs_us: tuple[int, ...]
    label_end_us: int


@dataclass(frozen=True)
class Fold:
    """One split in time of the tasks whose horizons are alike."""

    tasks: tuple[Task, ...]
    training: Part
    validation: Part
    test: Part


def watermark_us(log: EventLog) -> int:
    """The log knows everything up to here: its last event, rounded up to a whole second."""
    return -(-log.last_us // _SECOND_US) * _SECOND_US


def folds(log: EventLog, tasks: Sequence[Task], max_cutoffs: int) -> tuple[Fold, ...]:
    """One fold for the short horizons and, where there are, one for the long ones.

    A task that looks a year ahead must be tested a year before the log's end; the tasks that look a
    month ahead shall not lose that year. A peak-period task of which the log does not hold two
    whole cycles cannot be tested and is in no fold.

    Raises:
        NotEnoughData: the log is too short for the horizons.
    """
    longest = LONG_HORIZON_SHARE * log.span_days
    short = tuple(task for task in tasks if task.horizon_days <= longest)
    long = tuple(
        task
        for task in tasks
        if task.horizon_days > longest
        and not (_may_be_cut_short(task) and log.span_days < 2 * task.horizon_days)
    )
    return tuple(_fold(log, group, max_cutoffs) for group in (short, long) if group)


def _fold(log: EventLog, tasks: tuple[Task, ...], max_cutoffs: int) -> Fold:
    end_us = watermark_us(log)
    horizon_days = max(task.horizon_days for task in tasks)
    flexible = all(_may_be_cut_short(task) for task in tasks)
    test_us = end_us - horizon_days * MICROSECONDS_PER_DAY
    history_days = (test_us - log.first_us) / MICROSECONDS_PER_DAY
    # A label that may be cut short at the end of its part needs no whole horizon inside it.
    embargo_us = _days_us(min(horizon_days, history_days / 4) if flexible else horizon_days)
    first_us = log.first_us + _history_us(history_days)
    last_validation_us = test_us - embargo_us
    room_us = last_validation_us - embargo_us - first_us
    if room_us <= 0:
        raise NotEnoughData(
            f"the log spans {log.span_days:.0f} days; horizons of {horizon_days} days need about "
            f"{int(4.5 * horizon_days) + 1} to learn, validate and test in time: "
            "choose shorter horizons or import more history"
        )
    step_us = _step_us(room_us, max_cutoffs)
    validations = min(MAX_VALIDATION_CUTOFFS, 1 + room_us // (8 * step_us))
    validation = tuple(sorted(last_validation_us - k * step_us for k in range(validations)))
    training_end_us = validation[0]
    shortest_us = _days_us(min(task.horizon_days for task in tasks))
    newest_us = training_end_us - min(shortest_us, embargo_us)
    return Fold(
        tasks=tasks,
        training=Part(_every(first_us, newest_us, step_us, max_cutoffs), training_end_us),
        validation=Part(validation, test_us),
        test=Part((test_us,), end_us),
    )


def final_part(log: EventLog, tasks: Sequence[Task], max_cutoffs: int) -> Part:
    """All cutoffs that have labels: what the served model is fitted on."""
    end_us = watermark_us(log)
    shortest_days: float = min(task.horizon_days for task in tasks)
    if all(_may_be_cut_short(task) for task in tasks):
        shortest_days = min(shortest_days, log.span_days / 4)
    newest_us = end_us - _days_us(shortest_days)
    first_us = log.first_us + _history_us((newest_us - log.first_us) / MICROSECONDS_PER_DAY)
    step_us = _step_us(newest_us - first_us, max_cutoffs)
    return Part(_every(first_us, newest_us, step_us, max_cutoffs), end_us)


def _may_be_cut_short(task: Task) -> bool:
    """Whether a label of this task says something when only a part of its horizon is seen."""
    return task.target.kind == "peak_period"


def _history_us(history_days: float) -> int:
    return _days_us(min(MIN_HISTORY_DAYS, history_days / 4))


def _days_us(days: float) -> int:
    """Rounded down to whole seconds, as cutoffs must be."""
    return int(days * MICROSECONDS_PER_DAY) // _SECOND_US * _SECOND_US


def _step_us(room_us: int, max_cutoffs: int) -> int:
    """The distance of cutoffs: whole weeks, or whole days when the log is short.

    Whole weeks keep the weekday, so that labels of seven days always hold each weekday once.
    """
    days = room_us / MICROSECONDS_PER_DAY / max_cutoffs
    whole = int(np.ceil(days / 7)) * 7 if days > 2 else max(1, int(np.ceil(days)))
    return whole * MICROSECONDS_PER_DAY


def _every(first_us: int, newest_us: int, step_us: int, at_most: int) -> tuple[int, ...]:
    """From the newest backwards."""
    count = max(0, (newest_us - first_us) // step_us) + 1
    return tuple(sorted(newest_us - k * step_us for k in range(min(count, at_most))))
