"""Recency-frequency of all linear tasks in machine code: microseconds a row, also for one row."""

# R = rows, C = columns, K = tasks, F = their inputs, P = parameters of all of them

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

_LONGS = "Array(int64, 1, 'C', readonly=True)"
_TABLE = "Array(float32, 2, 'C', readonly=True)"


@compiled_as(
    f"void({_TABLE}, Array(int64, 2, 'C', readonly=True), {_TABLE}, {_TABLE}, {_LONGS}, {_LONGS}, "
    f"{_TABLE}, float32[:, ::1])"
)
def write_linear(
    numbers: Floats,
    features: Longs,
    mean: Floats,
    spread: Floats,
    columns: Longs,
    starts: Longs,
    weights: Floats,
    flat: Floats,
) -> None:
    """Write the parameters into their columns.

    Args:
        numbers: (R, numeric features)
        features: (K, F) which of them each task reads.
        mean: (K, F) of those.
        spread: (K, F)
        columns: (P,) where the parameters stand, task after task.
        starts: (K + 1,) the first of each task's columns.
        weights: (P, F + 1), the intercept last.
        flat: (R, C)
    """
    inputs = features.shape[1]
    scaled = np.empty(inputs, dtype=np.float32)
    for row in range(len(numbers)):
        for task in range(len(features)):
            for i in range(inputs):
                value = (numbers[row, features[task, i]] - mean[task, i]) / spread[task, i]
                if np.isnan(value):
                    value = np.float32(0.0)
                scaled[i] = min(max(value, np.float32(-4.0)), np.float32(4.0))
            for place in range(starts[task], starts[task + 1]):
                total = np.float32(0.0)
                for i in range(inputs):
                    total += scaled[i] * weights[place, i]
                flat[row, columns[place]] = total + weights[place, inputs]
