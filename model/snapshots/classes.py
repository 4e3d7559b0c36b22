"""The values that a categorical answer may take, learned from the past alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.events import EventLog
from model.snapshots.choices import Choices
from model.tasks import Column, Next, Task, asked_attribute

Classes = tuple[str, ...]

MAX_CLASSES = 50
OTHER = "other"
MIN_CLASS_EVENTS = 5
TRIFLE = 0.005
"""Values beyond the classes are a class of their own from this share of the events on."""


def learn_classes(log: EventLog, tasks: Iterable[Task]) -> dict[str, Classes]:
    """The classes of each task that asks for one of a few values.

    The most frequent values, in order of their names, and a last class `other` if the rest is more
    than a trifle.

    Args:
        log: what is known at the last training cutoff.
        tasks: any.
    """
    choices = Choices(log)
    found: dict[str, Classes] = {}
    for task in tasks:
        if isinstance(task.target, Next | Column):
            classes = _classes(choices, task)
            if classes is not None:
                found[task.name] = classes
    return found


def _classes(choices: Choices, task: Task) -> Classes | None:
    """None for a column of numbers."""
    log, name = choices.log, asked_attribute(task)
    rows = choices.places(task.target.event_type, task.target.where)
    if name is None:
        return _frequent(log.event_types, log.event_type[rows])
    attribute = choices.attribute(name)
    if attribute.values is None:
        return None
    return _frequent(attribute.values, attribute.of_events(log, rows).astype(np.int64))


def _frequent(values: tuple[str, ...], codes: NDArray[np.integer]) -> Classes:
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    order = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
    kept = sorted(values[n] for n in order if counts[n] >= MIN_CLASS_EVENTS and values[n] != OTHER)
    rest = counts.sum() - sum(counts[values.index(value)] for value in kept)
    return (*kept, OTHER) if rest > TRIFLE * counts.sum() else tuple(kept)


def class_codes(values: tuple[str, ...], classes: Classes) -> NDArray[np.float64]:
    """(values + 1,) the class of each value, that of a rare one if there is one, else NaN.

    The last entry is for a missing value, whose code is -1.
    """
    position = {name: float(number) for number, name in enumerate(classes)}
    rest = position.get(OTHER, np.nan)
    return np.array([*(position.get(value, rest) for value in values), np.nan])
