"""The personal frequency forecast of a next event: who met a category often will meet it again.

The strongest simple forecast of what a user takes next (Li et al., 2023, doi:10.1145/3587153).
With n_c how often the user met items of class c within a year, out of n in all, and K classes, the
log odds of the next one's class are

    weight * log((n_c + 1) / (n + K)) + bias_c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

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
        logits += self._biases
        # They are small: neither exp nor log leaves its range.
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        log_shares: NDArray[np.float32] = logits.astype(np.float32)
        return log_shares

    @cached_property
    def _biases(self) -> NDArray[np.float64]:
        return np.array(self.biases)


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
    known, own = _places(attribute, tuple(classes), tuple(columns))
    logs = np.log(inputs.numbers[:, own], dtype=np.float64)
    average = -np.log(max(len(classes), 1))
    logs[np.isnan(logs)] = average
    if len(known) == len(classes):
        return logs
    every = np.full((len(inputs), len(classes)), average)
    every[:, known] = logs
    return every


@lru_cache(maxsize=256)
def _places(
    attribute: str, classes: tuple[str, ...], columns: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The classes that have a feature, and which feature."""
    place = {name: number for number, name in enumerate(columns)}
    names = [f"share_of_{attribute}_{name}" for name in classes]
    known = [number for number, name in enumerate(names) if name in place]
    own = [place[names[number]] for number in known]
    return np.array(known, dtype=np.int64), np.array(own, dtype=np.int64)
