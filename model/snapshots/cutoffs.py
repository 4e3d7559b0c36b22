"""When is learned from, validated and tested: cutoffs in time, with an embargo of one horizon.

A task's horizon counts here from the cutoff to the end of its window, with its start gap.

    log start .... training cutoffs | embargo | validation | embargo | test .... last event

A label may only look at events up to its part's `label_end_us`: the first cutoff of the next part.
So each part's labels lie at or before the cutoffs of the next, and no event is in a label of two
parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from model.errors import NotEnoughData
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.snapshots.fold_parts import Fold, FoldPart
from model.snapshots.random_parts import EVERYTHING, random_folds
from model.tasks import Task

MIN_HISTORY_DAYS = 90
MIN_HISTORY_SHARE = 0.25
"""Of a horizon: so much history the first cutoff needs at least."""
LONG_HORIZON_SHARE = 0.2
MAX_VALIDATION_CUTOFFS = 3
"""At which all tasks are validated."""
MAX_LATER_CUTOFFS = 4
"""At which those are validated whose windows are over."""
_SECOND_US = 1_000_000


def watermark_us(log: EventLog) -> int:
    """The log knows everything up to here: its last event, rounded up to a whole second."""
    return -(-log.last_us // _SECOND_US) * _SECOND_US


def folds(log: EventLog, tasks: Sequence[Task], max_cutoffs: int) -> tuple[Fold, ...]:
    """One fold for the short horizons and, where there are, further ones for the long ones.

    A task that looks a year ahead must be tested a year before the log's end; the tasks that look a
    month ahead shall not lose that year. Where the log is too short to learn, validate and test,
    the test is left out, then the fold. A peak-period task of which the log does not hold two whole
    cycles cannot be tested and is in no fold. A log without times is split at random by entity.
    """
    if not log.has_time:
        return random_folds(log, tasks)
    longest = LONG_HORIZON_SHARE * log.span_days
    short = tuple(task for task in tasks if task.end_days <= longest)
    long = tuple(task for task in tasks if task.end_days > longest)
    whole = tuple(task for task in long if not _may_be_cut_short(task))
    cyclic = tuple(
        task for task in long if _may_be_cut_short(task) and log.span_days >= 2 * task.end_days
    )
    found = (_fold(log, group, max_cutoffs) for group in (short, whole, cyclic) if group)
    return tuple(fold for fold in found if fold is not None)


def _fold(log: EventLog, tasks: tuple[Task, ...], max_cutoffs: int) -> Fold | None:
    end_us = watermark_us(log)
    test_us = end_us - _days_us(max(task.end_days for task in tasks))
    split = _split(log, tasks, test_us, max_cutoffs)
    if split is not None:
        return Fold(tasks, *split, test=FoldPart((test_us,), end_us))
    split = _split(log, tasks, end_us, max_cutoffs)
    return None if split is None else Fold(tasks, *split, test=None)


def _split(
    log: EventLog, tasks: tuple[Task, ...], label_end_us: int, max_cutoffs: int
) -> tuple[FoldPart, FoldPart] | None:
    """Training and validation before a time; None where there is no room for both."""
    horizon_days = max(task.end_days for task in tasks)
    flexible = all(_may_be_cut_short(task) for task in tasks)
    history_days = (label_end_us - log.first_us) / MICROSECONDS_PER_DAY
    # A label that may be cut short at the end of its part needs no whole horizon inside it.
    embargo_us = _days_us(min(horizon_days, history_days / 4) if flexible else horizon_days)
    first_us = log.first_us + _history_us(history_days)
    last_validation_us = label_end_us - embargo_us
    room_us = last_validation_us - embargo_us - first_us
    if room_us <= 0:
        return None
    step_us = _step_us(room_us, max_cutoffs)
    validations = min(MAX_VALIDATION_CUTOFFS, 1 + room_us // (8 * step_us))
    earlier_us = sorted(last_validation_us - k * step_us for k in range(validations))
    training_end_us = earlier_us[0]
    shortest_us = min(_days_us(min(task.end_days for task in tasks)), embargo_us)
    newest_us = training_end_us - shortest_us
    later_us = range(last_validation_us + step_us, label_end_us - shortest_us + 1, step_us)
    return (
        FoldPart(
            _every(first_us, newest_us, training_end_us - embargo_us, step_us, max_cutoffs),
            training_end_us,
        ),
        FoldPart((*earlier_us, *_spread(later_us, MAX_LATER_CUTOFFS)), label_end_us),
    )


def _spread(all_us: Sequence[int], at_most: int) -> list[int]:
    """So many of them, evenly and with the last one."""
    count = min(len(all_us), at_most)
    return [all_us[(number + 1) * len(all_us) // count - 1] for number in range(count)]


def final_part(log: EventLog, tasks: Sequence[Task], max_cutoffs: int) -> FoldPart:
    """All cutoffs that have labels: what the served model is fitted on.

    Raises:
        NotEnoughData: a horizon leaves no history to look back on.
    """
    if not log.has_time:
        return EVERYTHING
    for task in tasks:
        needed_days = (1 + MIN_HISTORY_SHARE) * task.end_days
        if not _may_be_cut_short(task) and log.span_days < needed_days:
            raise NotEnoughData(
                f"the log spans {log.span_days:.0f} days; task {task.name!r} with a horizon of "
                f"{task.horizon_days} days{_after_start(task)} needs at least "
                f"{math.ceil(needed_days)}: choose a shorter horizon or import more history"
            )
    end_us = watermark_us(log)
    shortest_days: float = min(task.end_days for task in tasks)
    if all(_may_be_cut_short(task) for task in tasks):
        shortest_days = min(shortest_days, log.span_days / 4)
    newest_us = end_us - _days_us(shortest_days)
    first_us = log.first_us + _history_us((newest_us - log.first_us) / MICROSECONDS_PER_DAY)
    step_us = _step_us(newest_us - first_us, max_cutoffs)
    whole = [task.end_days for task in tasks if not _may_be_cut_short(task)]
    labelled_us = end_us - _days_us(max(whole, default=shortest_days))
    return FoldPart(_every(first_us, newest_us, labelled_us, step_us, max_cutoffs), end_us)


def _may_be_cut_short(task: Task) -> bool:
    """Whether a label of this task says something when only a part of its horizon is seen."""
    return task.target.kind == "peak_period"


def _after_start(task: Task) -> str:
    return f" that begins after {task.start_days}" if task.start_days else ""


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


def _every(
    first_us: int, newest_us: int, labelled_us: int, step_us: int, at_most: int
) -> tuple[int, ...]:
    """From the newest backwards in steps; the oldest is no later than where all tasks have labels.

    Args:
        first_us: before it there is too little history.
        newest_us: where at least one task has a label.
        labelled_us: where every task has one.
        step_us: between two cutoffs.
        at_most: how many.
    """
    count = min(max(0, (newest_us - first_us) // step_us) + 1, at_most)
    cutoffs_us = sorted(newest_us - k * step_us for k in range(count))
    if cutoffs_us[0] <= labelled_us:
        return tuple(cutoffs_us)
    return (labelled_us, *cutoffs_us[1 if count == at_most else 0 :])
