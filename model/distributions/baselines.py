"""The baselines that every task is compared with, in the same parameters as the network's.

Applied in NumPy here; fitted by `model.training.baselines`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distributions.layout import Layout

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Baselines:
    """An entity kind's baselines; tasks and parameter columns are those of its layout.

    Attributes:
        climatology: (columns,) the same parameters for everybody.
        features: (tasks, features) which numeric inputs recency-frequency reads.
        mean: (tasks, features) of those inputs.
        spread: (tasks, features) their standard deviation.
        weights: (columns, features + 1) recency-frequency, the intercept last.
    """

    climatology: Floats
    features: NDArray[np.int64]
    mean: Floats
    spread: Floats
    weights: Floats

    def of_tasks(self, whole: Layout, some: Layout) -> Baselines:
        """The baselines of some tasks of the layout, in the order of their own."""
        if some is whole:
            return self
        tasks = [whole.position(task.name) for task in some.tasks]
        columns = np.r_[tuple(whole.columns_of(task.name) for task in some.tasks)]
        return Baselines(
            climatology=self.climatology[columns],
            features=self.features[tasks],
            mean=self.mean[tasks],
            spread=self.spread[tasks],
            weights=self.weights[columns],
        )

    def recency_frequency(self, numbers: Floats, task: int, columns: slice) -> Floats:
        """A task's parameters as a linear function of recency, frequency and tenure.

        Shape:
            numbers: (R, numeric features)
            returns: (R, parameters)
        """
        inputs = standardise(numbers[:, self.features[task]], self.mean[task], self.spread[task])
        weights = self.weights[columns]
        parameters: Floats = inputs @ weights[:, :-1].T + weights[:, -1]
        return parameters


@dataclass(frozen=True)
class LinearTasks:
    """Recency-frequency of K tasks that have as many parameters P each, all at once.

    Attributes:
        columns: (K * P,) where their parameters stand.
        features: (K, F), as in `Baselines`; `mean` and `spread` alike.
        weights: (K, F, P)
        intercepts: (K, 1, P)
    """

    columns: NDArray[np.int64]
    features: NDArray[np.int64]
    mean: Floats
    spread: Floats
    weights: Floats
    intercepts: Floats

    def __call__(self, numbers: Floats) -> Floats:
        """(R, K * P) from the numeric features (R, features)."""
        inputs_RKF = standardise(numbers[:, self.features], self.mean, self.spread)
        parameters_KRP = inputs_RKF.transpose(1, 0, 2) @ self.weights + self.intercepts
        return parameters_KRP.transpose(1, 0, 2).reshape(len(numbers), -1)


def linear_of(baselines: Baselines, tasks: Sequence[tuple[int, slice]]) -> list[LinearTasks]:
    """The recency-frequency of some tasks, by their positions and columns."""
    by_size: dict[int, list[tuple[int, slice]]] = defaultdict(list)
    for position, columns in tasks:
        by_size[columns.stop - columns.start].append((position, columns))
    found = []
    for size, own in by_size.items():
        positions = np.array([position for position, _ in own])
        places = np.concatenate([np.arange(c.start, c.stop) for _, c in own])
        weights_KPF = baselines.weights[places].reshape(len(own), size, -1)
        found.append(
            LinearTasks(
                columns=places,
                features=baselines.features[positions],
                mean=baselines.mean[positions],
                spread=baselines.spread[positions],
                weights=np.ascontiguousarray(weights_KPF[:, :, :-1].transpose(0, 2, 1)),
                intercepts=weights_KPF[:, None, :, -1],
            )
        )
    return found


def standardise(numbers: Floats, mean: Floats, spread: Floats) -> Floats:
    """Centred and scaled, bounded to 4 deviations; undefined numbers are at the mean."""
    scaled: Floats = (numbers - mean) / spread
    scaled[np.isnan(scaled)] = 0
    return np.clip(scaled, -4, 4, out=scaled)
