"""The baselines that every task is compared with, in the same parameters as the network's.

Applied in NumPy here; fitted by `model.training.baselines`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.distributions.layout import Layout
from model.distributions.linear_kernel import write_linear

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


class LinearTasks:
    """Recency-frequency of some tasks of a layout, all at once.

    Args:
        baselines: theirs.
        tasks: positions and columns.
        use_compiler: without it one NumPy call does the tasks that have as many parameters each.
    """

    def __init__(
        self,
        baselines: Baselines,
        tasks: Sequence[tuple[int, slice]],
        *,
        use_compiler: bool = COMPILED,
    ) -> None:
        ordered = sorted(tasks, key=lambda task: task[1].stop - task[1].start)
        sizes = np.array([own.stop - own.start for _, own in ordered], dtype=np.int64)
        positions = np.array([position for position, _ in ordered], dtype=np.int64)
        places = [place for _, own in ordered for place in range(own.start, own.stop)]
        self._columns = np.array(places, dtype=np.int64)
        self._starts = np.append(0, np.cumsum(sizes))
        self._features = np.ascontiguousarray(baselines.features[positions])
        self._mean, self._spread = baselines.mean[positions], baselines.spread[positions]
        self._weights = np.ascontiguousarray(baselines.weights[self._columns])
        self._use_compiler = use_compiler

    def write(self, numbers: Floats, flat: Floats) -> None:
        """Write the parameters (R, columns) from the numeric features (R, features)."""
        if not len(self._columns):
            return
        if self._use_compiler:
            write_linear(
                np.ascontiguousarray(numbers),
                self._features,
                self._mean,
                self._spread,
                self._columns,
                self._starts,
                self._weights,
                flat,
            )
            return
        inputs_RKF = standardise(numbers[:, self._features], self._mean, self._spread)
        sizes = np.diff(self._starts)
        for size in np.unique(sizes).tolist():
            of_size = np.flatnonzero(sizes == size)
            places = slice(int(self._starts[of_size[0]]), int(self._starts[of_size[-1] + 1]))
            weights_KPF = self._weights[places].reshape(len(of_size), size, -1)
            inputs_KRF = inputs_RKF[:, of_size].transpose(1, 0, 2)
            found_KRP = inputs_KRF @ weights_KPF[:, :, :-1].transpose(0, 2, 1)
            found_KRP += weights_KPF[:, None, :, -1]
            found = found_KRP.transpose(1, 0, 2).reshape(len(numbers), -1)
            flat[:, self._columns[places]] = found


def standardise(numbers: Floats, mean: Floats, spread: Floats) -> Floats:
    """Centred and scaled, bounded to 4 deviations; undefined numbers are at the mean."""
    scaled: Floats = (numbers - mean) / spread
    scaled[np.isnan(scaled)] = 0
    return np.clip(scaled, -4, 4, out=scaled)
