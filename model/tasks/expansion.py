"""`for_each`: one declaration, one task for each value of a category."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InvalidTask
from model.events import EventLog
from model.events.attributes import Attribute, find_attribute
from model.tasks.task import Condition, Task

MAX_VALUES = 1000
MIN_EVENTS = 20
"""A value with fewer events that the target looks at is left out: there is too little to learn."""
_SLUG_LENGTH = 40
_SHOWN_REASONS = 100


@dataclass(frozen=True)
class Expansion:
    """The tasks to learn, and why others are none of them.

    Attributes:
        tasks: those without `for_each` as they were, each of the others as one per value.
        left_out: why a value has no task, by the name that the task would have.
    """

    tasks: tuple[Task, ...]
    left_out: dict[str, str]


def expand(tasks: Sequence[Task], log: EventLog) -> Expansion:
    """Declare one task for each value of a category that has enough events.

    Its name is that of the declaration, two underscores and the value in small letters and digits;
    a value that has none of them is `v` and its number in order of first appearance.

    Args:
        tasks: checked before, see `check_tasks`.
        log: says which values there are.

    Raises:
        InvalidTask: no value has enough events.
    """
    found: list[Task] = []
    left_out: dict[str, str] = {}
    taken = {task.name for task in tasks}
    for task in tasks:
        if task.for_each is None or task.declared_as is not None:
            found.append(task)
            continue
        own, reasons = _of_one(task, log, taken)
        found += own
        left_out.update(reasons)
    return Expansion(tuple(found), left_out)


def _of_one(task: Task, log: EventLog, taken: set[str]) -> tuple[list[Task], dict[str, str]]:
    assert task.for_each is not None
    attribute = find_attribute(log, task.for_each)
    if attribute is None or attribute.values is None:
        raise InvalidTask(task.name, f"for_each: {task.for_each} is no category of the log")
    counts, first = _events_of(task, log, attribute)
    names = _names(
        task.name, [attribute.values[n] for n in np.argsort(first, kind="stable")], taken
    )
    order = np.argsort(-counts, kind="stable")
    kept = {int(n) for n in order[:MAX_VALUES] if counts[n] >= MIN_EVENTS}
    if not kept:
        raise InvalidTask(
            task.name,
            f"no value of {task.for_each} has the {MIN_EVENTS} events that are needed to learn "
            f"from, the most frequent one has {int(counts.max(initial=0))}: leave for_each out, or "
            "import more",
        )
    values = attribute.values
    made = [_task(task, names[values[n]], values[n]) for n in sorted(kept)]
    rest = [int(n) for n in order if int(n) not in kept]
    reasons = {
        names[values[n]]: f"{task.for_each} {values[n]!r} has {int(counts[n])} events: "
        f"{MIN_EVENTS} are needed, and at most {MAX_VALUES:,} values are learned"
        for n in rest[:_SHOWN_REASONS]
    }
    if len(rest) > _SHOWN_REASONS:
        reasons[task.name] = f"{len(rest) - _SHOWN_REASONS:,} further values have too few events"
    return made, reasons


def _task(task: Task, name: str, value: str) -> Task:
    assert task.for_each is not None
    where = (*task.target.where, Condition(attribute=task.for_each, value=value))
    return task.model_copy(
        update={
            "name": name,
            "declared_as": task.name,
            "for_each_value": value,
            "target": task.target.model_copy(update={"where": where}),
        }
    )


def _events_of(
    task: Task, log: EventLog, attribute: Attribute
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(values,) how many events of the target's type each value has, and the first row of any."""
    assert attribute.values is not None
    codes = attribute.of_events(log, np.arange(len(log))).astype(np.int64)
    first = np.full(len(attribute.values), len(log), dtype=np.int64)
    known = np.flatnonzero(codes >= 0)
    np.minimum.at(first, codes[known], known)
    if task.target.event_type is not None:
        codes = codes[log.is_type(task.target.event_type)]
    return np.bincount(codes[codes >= 0], minlength=len(attribute.values)), first


def _names(declared: str, values: Sequence[str], taken: set[str]) -> dict[str, str]:
    """The name of each value's task; names that are given join those taken."""
    found: dict[str, str] = {}
    for number, value in enumerate(values, start=1):
        for slug in _slugs(value, number):
            name = f"{declared}__{slug}"
            if name not in taken:
                break
        taken.add(name)
        found[value] = name
    return found


def _slugs(value: str, number: int) -> Iterator[str]:
    plain = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:_SLUG_LENGTH].strip("_")
    slug = plain or f"v{number}"
    yield slug
    suffix = 2
    while True:
        yield f"{slug}_{suffix}"
        suffix += 1
