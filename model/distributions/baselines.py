"""The baselines that every task is compared with, in the same parameters as the network's.

Applied in NumPy here; fitted by `model.training.baselines`.
"""

from __future__ import annotations

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


def standardise(numbers: Floats, mean: Floats, spread: Floats) -> Floats:
    """Centred and scaled, bounded to 4 deviations; undefined numbers are at the mean."""
    scaled: Floats = np.clip(np.nan_to_num((numbers - mean) / spread, nan=0.0), -4, 4)
    return scaled
