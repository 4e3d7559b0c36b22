"""What a single event amounts to at least, of the tasks that add amounts up."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.snapshots.choices import Choices
from model.tasks import Count, Sum, Task


def least_amounts(choices: Choices, tasks: Iterable[Task]) -> dict[str, float]:
    """The least money or units of a single event that a task looks at, by the task's name.

    From it follows what a total says of the events: where it is above zero a total of zero says
    that there was none, where it is not below zero a total does not fall. Other tasks, and those
    that the log has no events for, are left out.
    """
    found = {}
    for task in tasks:
        match task.target:
            case Sum():
                amounts: NDArray[np.generic] = choices.log.value_cents
                unit = 100.0
            case Count(of="units"):
                amounts, unit = choices.log.units, 1.0
            case _:
                continue
        rows = choices.places(task.target.event_type, task.target.where)
        if len(rows):
            found[task.name] = float(amounts[rows].min()) / unit
    return found
