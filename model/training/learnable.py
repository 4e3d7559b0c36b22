"""Is there anything to learn? What a task's training labels must show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.errors import InvalidTask, NotEnoughData
from model.snapshots import Label, PeriodLabels, Snapshot
from model.tasks import Task

MIN_LABELS = 20
_RARELY = 0.001


def check_learnable(task: Task, label: Label, classes: Sequence[str] = ()) -> None:
    """Let only tasks pass whose labels differ.

    Args:
        task: a declared one.
        label: its training labels.
        classes: the task's, where it asks for one of several.

    Raises:
        NotEnoughData: there are too few labels.
        InvalidTask: what the task asks never or always happens.
    """
    known = _known(label)
    if len(known) < MIN_LABELS:
        raise NotEnoughData(
            f"task {task.name!r} has {len(known)} labels to learn from, {MIN_LABELS} are "
            f"needed: import more {task.entity}s or history, or choose "
            f"{_way_to_more_labels(task)}"
        )
    if task.target.kind in {"next", "column"}:
        _check_values_differ(task, known, classes)
        return
    happened = _happened(task, known)
    if not happened.any():
        raise InvalidTask(
            task.name,
            f"{_nothing(task)} follows within {task.end_days} days of any "
            "training cutoff: choose another event type or a longer horizon",
        )
    if task.target.kind == "occurs" and happened.all():
        raise InvalidTask(
            task.name,
            f"every {task.entity} has a {task.target.event_type} within "
            f"{task.end_days} days of every training cutoff: there is nothing to predict; "
            "choose a shorter horizon",
        )


def split_learnable(
    tasks: Sequence[Task], snapshot: Snapshot, classes: Mapping[str, Sequence[str]]
) -> tuple[list[Task], dict[str, str]]:
    """The learnable tasks, and why the others are none.

    Only a task that was declared for one of many values is left out; any other is an error.

    Raises:
        NotEnoughData: see `check_learnable`.
        InvalidTask: see `check_learnable`.
    """
    learnable: list[Task] = []
    reasons: dict[str, str] = {}
    for task in tasks:
        try:
            check_learnable(task, snapshot.labels[task.name], classes.get(task.name, ()))
        except (InvalidTask, NotEnoughData) as error:
            if task.declared_as is None:
                raise
            reasons[task.name] = str(error)
        else:
            learnable.append(task)
    return learnable, reasons


def sometimes_happens(task: Task, label: Label) -> bool:
    """Whether a generated task's labels are enough and differ often enough to be worth a node."""
    known = _known(label)
    if len(known) < MIN_LABELS:
        return False
    return _RARELY < float(_happened(task, known).mean()) < 1 - _RARELY


def _known(label: Label) -> NDArray[np.float32]:
    """The known labels, of periods the total sales."""
    amounts = label.amounts.sum(axis=1) if isinstance(label, PeriodLabels) else label
    return amounts[~np.isnan(amounts)]


def _happened(task: Task, known: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.isfinite(known) if task.target.kind == "time_to" else known > 0


def _check_values_differ(task: Task, known: NDArray[np.float32], classes: Sequence[str]) -> None:
    found = np.unique(known)
    if len(found) > 1:
        return
    (value,) = found.tolist()
    raise InvalidTask(
        task.name,
        f"every label is {classes[int(value)] if classes else value!r}: there is nothing to "
        "predict; choose another column or look at more events",
    )


def _way_to_more_labels(task: Task) -> str:
    undefined = task.target.kind in {"next", "column"}
    return "a longer horizon" if undefined else "a shorter horizon"


def _nothing(task: Task) -> str:
    """What a task that is always zero has never seen."""
    target = task.target
    noun = f"no {target.event_type}" + (" that fulfils its conditions" if target.where else "")
    if target.kind == "sum":
        return f"{noun} with a total value above zero"
    if target.kind in {"count", "peak_period"} and target.of == "units":
        return f"{noun} with a total quantity above zero"
    return noun
