"""The personal frequency forecast of a next event: who met a category often will meet it again.

The strongest simple forecast of what a user takes next (Li et al., 2023, doi:10.1145/3587153).
With n_c how often the user met items of class c within a year, out of n in all, and K classes, the
log odds of the next one's class are

    weight * log((n_c + 1) / (n + K)) + bias_c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.events import EventLog
from model.snapshots.classes import OTHER, Classes
from model.snapshots.inputs import Inputs
from model.tasks import Next, Task, asked_attribute

OF_ITEMS = "item."


class PersonalFrequency(BaseModel):
    """The forecast of one task.

    Attributes:
        attribute: of items, as the features name it.
        classes: what the task asks for, in its order.
        weight: how much the user's own past counts.
        biases: per class.
    """

    model_config = ConfigDict(frozen=True)

    attribute: str
    classes: Classes
    weight: float
    biases: tuple[float, ...]

    def log_shares(
        self,
        inputs: Inputs,
        columns: Sequence[str],
        log: EventLog,  # noqa: ARG002 (other forecasts ask since when there is a past)
    ) -> NDArray[np.float32]:
        """The forecast of each row.

        Args:
            inputs: R rows of users.
            columns: the names of `inputs.numbers`.
            log: not looked at.

        Shape:
            returns: (R, classes) log shares
        """
        logits = self.weight * log_own_shares(self.attribute, self.classes, inputs, columns)
        logits += np.array(self.biases)
        logits -= logits.max(axis=1, keepdims=True)
        log_shares: NDArray[np.float32] = (
            logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        ).astype(np.float32)
        return log_shares


def has_personal_frequency(task: Task) -> bool:
    """Whether a task asks which value of an item's attribute comes next to a user."""
    name = asked_attribute(task)
    return (
        isinstance(task.target, Next)
        and task.entity == "user"
        and name is not None
        and name.startswith(OF_ITEMS)
    )


def asked_affinities(
    tasks: Iterable[Task], classes: Mapping[str, Classes]
) -> dict[str, tuple[str, ...]]:
    """Per attribute of items, the values that tasks need a user's own shares of."""
    found: dict[str, set[str]] = {}
    for task in tasks:
        if has_personal_frequency(task):
            values = set(classes[task.name]) - {OTHER}
            found[attribute_of(task)] = found.get(attribute_of(task), set()) | values
    return {name: tuple(sorted(values)) for name, values in found.items()}


def attribute_of(task: Task) -> str:
    """The attribute that is asked for, without what has it."""
    return str(asked_attribute(task)).removeprefix(OF_ITEMS)


def log_own_shares(
    attribute: str, classes: Sequence[str], inputs: Inputs, columns: Sequence[str]
) -> NDArray[np.float64]:
    """(R, classes) log shares of the user's year; of a class without a feature the log of 1 / K."""
    nothing = np.log(1 / max(len(classes), 1))
    logs = np.full((len(inputs), len(classes)), nothing)
    for place, name in enumerate(classes):
        column = f"share_of_{attribute}_{name}"
        if column in columns:
            own = np.log(inputs.numbers[:, columns.index(column)].astype(np.float64))
            logs[:, place] = np.nan_to_num(own, nan=nothing)
    return logs
