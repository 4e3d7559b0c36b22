"""Quantiles of the negative binomial: from nothing upwards until enough probability is passed.

Inverting an incomplete beta function for each row takes long; small counts are reached sooner by
adding them up. Large means are left to the inversion.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as
from model.distributions import negative_binomial

Floats = NDArray[np.float64]

MAX_MEAN = 300.0
"""Of larger means nothing is added up; below, the probability of nothing is a normal number."""


def negative_binomial_quantile(
    levels: Floats, size: Floats, mean: Floats, *, use_compiler: bool = COMPILED
) -> Floats:
    """(R,) the least count whose cumulative probability is not below the level.

    Args:
        levels: (R,) from 0 to below 1.
        size: (R,)
        mean: (R,)
        use_compiler: without it all rows are inverted.
    """
    found = np.empty(len(levels))
    small = (mean <= MAX_MEAN) if use_compiler else np.zeros(len(mean), dtype=bool)
    if small.any():
        found[small] = _added_up(levels[small], size[small], mean[small])
    large = ~small
    if large.any():
        share = size[large] / (size[large] + mean[large])
        found[large] = negative_binomial.quantile(levels[large], size[large], share)
    return found


_FLOATS = "float64[::1]"


@compiled_as(f"{_FLOATS}({_FLOATS}, {_FLOATS}, {_FLOATS})")
def _added_up(levels: Floats, size: Floats, mean: Floats) -> Floats:
    found = np.empty(len(levels))
    for row in range(len(levels)):
        ratio = mean[row] / (size[row] + mean[row])
        term = math.exp(size[row] * math.log1p(-ratio))
        total = term
        count = 0
        # Rounding may keep the total below a level next to 1: no count is so far out.
        while total < levels[row] and (term > 0.0 and count < 100_000):
            term *= ratio * (count + size[row]) / (count + 1)
            total += term
            count += 1
        found[row] = count
    return found
