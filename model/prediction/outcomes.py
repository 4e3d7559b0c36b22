"""Outcomes as they are stated: read in natural units, checked, and turned into labels.

occurs      true or false
count       how many: a whole number from 0
sum         how much: a number from 0
time_to     days until it comes, more than 0; null: it does not come within the horizon
column      the number
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.distributions import WITHOUT_EVIDENCE, Bounds, Layout, Scale
from model.errors import InvalidOutcome, UnknownTask
from model.prediction.implications import Implications, Stated
from model.tasks import Count, Occurs, Sum, Task, TimeTo

Outcome = bool | float | None
MAX_STATED = 100
LARGEST = 1e15
"""No outcome is larger: it would be a mistake, and is beyond what is exact."""
_TOLERANCE = 1e-9


def read_outcomes(
    layout: Layout, outcomes: Mapping[str, Outcome], least_amounts: Mapping[str, float]
) -> tuple[Stated, ...]:
    """What is stated of some tasks of one entity kind, in the layout's order.

    Args:
        layout: the kind's tasks.
        outcomes: by the names of the tasks.
        least_amounts: see `Implications`.

    Raises:
        UnknownTask: a name is not one of the layout's tasks.
        InvalidOutcome: a value is none that the task can have, says nothing of other tasks, or
            contradicts another one.
    """
    known = {task.name: task for task in layout.tasks}
    for name in outcomes:
        if name not in known:
            raise UnknownTask(
                f"no outcome of task {name!r} can be stated; of {sorted(known)} it can"
            )
    if len(outcomes) > MAX_STATED:
        raise InvalidOutcome(
            list(outcomes)[MAX_STATED],
            f"is one of {len(outcomes)} stated outcomes: at most {MAX_STATED} are looked at",
        )
    stated = tuple(
        Stated(task, _read(layout, task, outcomes[task.name]))
        for task in layout.tasks
        if task.name in outcomes
    )
    check_together(stated, least_amounts)
    return stated


def labels_of(
    layout: Layout, stated: Sequence[Stated], scales: Mapping[str, Scale]
) -> NDArray[np.float32]:
    """(T,) the stated outcomes as the likelihoods take them, NaN for what is not stated."""
    labels = np.full(len(layout), np.nan, dtype=np.float32)
    for one in stated:
        labels[layout.position(one.task.name)] = _label(one, scales.get(one.task.name, Scale()))
    return labels


def _label(one: Stated, scale: Scale) -> float:
    match one.task.target.kind:
        case "sum":
            if one.value <= 0:
                return -math.inf
            return (math.log(one.value) - scale.location) / scale.scale
        case "column":
            return (one.value - scale.location) / scale.scale
        case "time_to":
            return one.value / one.task.horizon_days
        case _:
            return one.value


def _read(layout: Layout, task: Task, outcome: Outcome) -> float:
    if layout.group(task.name).likelihood in WITHOUT_EVIDENCE:
        raise InvalidOutcome(
            task.name,
            "which period or value it will be says nothing of other tasks here: leave it out",
        )
    match task.target:
        case Occurs():
            if isinstance(outcome, bool):
                return float(outcome)
            raise _unlike(task, outcome, "true or false")
        case TimeTo():
            return math.inf if outcome is None else _days(task, outcome)
        case Count():
            count = _number(task, outcome, "a whole number from 0")
            if count >= 0 and count.is_integer():
                return count
            raise _unlike(task, outcome, "a whole number from 0")
        case Sum():
            amount = _number(task, outcome, "an amount from 0")
            if amount >= 0:
                return amount
            raise _unlike(task, outcome, "an amount from 0")
        case _:
            return _number(task, outcome, "a number")


def _days(task: Task, outcome: Outcome) -> float:
    wanted = f"more than 0 and at most {task.horizon_days} days, or null if it comes later"
    days = _number(task, outcome, wanted)
    if 0 < days <= task.horizon_days:
        return days
    raise _unlike(task, outcome, wanted)


def _number(task: Task, outcome: Outcome, wanted: str) -> float:
    if isinstance(outcome, bool) or not isinstance(outcome, int | float):
        raise _unlike(task, outcome, wanted)
    if not abs(outcome) <= LARGEST:
        raise _unlike(task, outcome, f"{wanted}, finite and not beyond {LARGEST:g}")
    return float(outcome)


def _unlike(task: Task, outcome: Outcome, wanted: str) -> InvalidOutcome:
    noun = "an occurs task" if task.target.kind == "occurs" else f"a {task.target.kind} task"
    return InvalidOutcome(task.name, f"{_shown(outcome)} is no outcome of {noun}: state {wanted}")


def check_together(stated: Sequence[Stated], least_amounts: Mapping[str, float]) -> None:
    """Whether each may be beside the others.

    Raises:
        InvalidOutcome: one may not; the message names those that rule it out.
    """
    for one in stated:
        if isinstance(one.task.target, Count) and one.task.target.of == "days":
            _check_days(one)
        others = [other for other in stated if other is not one]
        if not contradicts(one, Implications(others, least_amounts).bounds(one.task)):
            continue
        alone = [
            other
            for other in others
            if contradicts(one, Implications([other], least_amounts).bounds(one.task))
        ]
        culprits = ", ".join(_stated(other) for other in alone or others)
        raise InvalidOutcome(
            one.task.name, f"{_shown_value(one)} cannot be beside {culprits}: change one of them"
        )


def _check_days(one: Stated) -> None:
    # A window that begins at noon touches one local day more than it has days.
    if one.value > one.task.horizon_days + 1:
        raise InvalidOutcome(
            one.task.name,
            f"{_shown_value(one)} active days are more than {one.task.horizon_days} days have",
        )


def contradicts(one: Stated, bounds: Bounds) -> bool:
    """Whether a stated outcome lies outside of what others leave of it."""
    if bounds.is_open:
        return False
    if isinstance(one.task.target, TimeTo):
        if one.value == math.inf:
            return bounds.happens is True
        return not bounds.least < one.value <= bounds.most
    if bounds.happens is not None and bounds.happens != (one.value > 0):
        return True
    slack = _TOLERANCE * max(1.0, abs(one.value))
    return not bounds.least - slack <= one.value <= bounds.most + slack


def _stated(one: Stated) -> str:
    return f"{one.task.name} = {_shown_value(one)}"


def _shown_value(one: Stated) -> str:
    match one.task.target.kind:
        case "occurs":
            return "true" if one.value else "false"
        case "time_to" if one.value == math.inf:
            return "null (not within the horizon)"
        case _:
            return f"{one.value:g}"


def _shown(outcome: Outcome) -> str:
    match outcome:
        case None:
            return "null"
        case bool():
            return str(outcome).lower()
        case _:
            return repr(outcome)
