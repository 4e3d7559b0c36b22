"""Chances that fit together, in machine code: microseconds a row, also for one row.

See `model.distributions.consistency`, which says the same in NumPy.
"""

# R = rows, C = columns, M = tasks that say a chance, N = chances, V = chances that move

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

_LEAST_HAZARD = 1e-12
_LONGS = "Array(int64, 1, 'C', readonly=True)"


@compiled_as(
    f"void(Array(float32, 2, 'C', readonly=True), {', '.join([_LONGS] * 8)}, "
    "Array(bool_, 1, 'C', readonly=True), float32[:, ::1])"
)
def fit_chances(  # noqa: C901 (one pass over a row)
    flat: Floats,
    columns: Longs,
    bins: Longs,
    chance: Longs,
    moved: Longs,
    above: Longs,
    above_starts: Longs,
    below: Longs,
    below_starts: Longs,
    is_changed: NDArray[np.bool_],
    fitted: Floats,
) -> None:
    """Write the parameters of the tasks whose chances change.

    Args:
        flat: (R, C)
        columns: (M,) the first column of each task, those of a chance side by side.
        bins: (M,) how many hazards it has; 0 for plain log odds.
        chance: (M,) which chance it says, ascending.
        moved: (V,) the chances that are in some order.
        above: the chances that each of them implies, itself among them, one after the other.
        above_starts: (V + 1,) where those of each begin.
        below: the chances that imply each of them; alike.
        below_starts: (V + 1,)
        is_changed: (M,)
        fitted: (R, C) the same parameters, to be changed.
    """
    chances = chance[len(chance) - 1] + 1
    before = np.empty(chances, dtype=np.float64)
    after = np.empty(chances, dtype=np.float64)
    hazards = np.empty(len(columns), dtype=np.float64)
    for row in range(len(flat)):
        last, said = -1, 0
        for task in range(len(columns)):
            if chance[task] != last:
                last, said = chance[task], 0
                before[last] = 0.0
            first = columns[task]
            logit = float(flat[row, first])
            if bins[task] > 0:
                total = 0.0
                for column in range(first, first + bins[task]):
                    value = flat[row, column]
                    total += max(value, 0.0) + math.log1p(math.exp(-abs(value)))
                hazards[task] = total
                bounded = max(total, _LEAST_HAZARD)
                logit = bounded + math.log(-math.expm1(-bounded))
            said += 1
            before[last] += (logit - before[last]) / said
        for place in range(chances):
            after[place] = before[place]
        for place in range(len(moved)):
            lowest, highest = np.inf, -np.inf
            for other in range(above_starts[place], above_starts[place + 1]):
                lowest = min(lowest, before[above[other]])
            for other in range(below_starts[place], below_starts[place + 1]):
                highest = max(highest, before[below[other]])
            after[moved[place]] = (lowest + highest) / 2
        for task in range(len(columns)):
            if not is_changed[task]:
                continue
            wanted = after[chance[task]]
            first = columns[task]
            if bins[task] == 0:
                fitted[row, first] = np.float32(wanted)
                continue
            factor = (max(wanted, 0.0) + math.log1p(math.exp(-abs(wanted)))) / max(
                hazards[task], _LEAST_HAZARD
            )
            for column in range(first, first + bins[task]):
                value = flat[row, column]
                step = (max(value, 0.0) + math.log1p(math.exp(-abs(value)))) * factor
                bounded = max(step, _LEAST_HAZARD)
                fitted[row, column] = np.float32(bounded + math.log(-math.expm1(-bounded)))
