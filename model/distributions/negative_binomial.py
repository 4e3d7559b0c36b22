"""The negative binomial by its size and its success probability, and the normal's density.

`scipy.special` alone, and not before it is needed: `scipy.stats` has the same, and half of SciPy
has to be imported for it, which a server would wait for and keep in memory. For a quantile the
probabilities are added up from zero on, which takes nanoseconds where the counts are small; where
they are large it is looked for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as
from model.distributions.special import scipy_special

Floats = NDArray[np.float64]

_FLOATS = "Array(float64, 1, 'C', readonly=True)"
_MOST_STEPS = 4096
_LEAST_LOG = -600.0
"""A probability of zero below this would be lost."""


def below(count: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the probability of this count or less."""
    count = np.asarray(count, dtype=np.float64)
    return np.where(
        count < 0, 0.0, scipy_special().betainc(size, np.maximum(count, 0) + 1, success)
    )


def beyond(count: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the probability of more than this count."""
    count = np.asarray(count, dtype=np.float64)
    return np.where(
        count < 0, 1.0, scipy_special().betaincc(size, np.maximum(count, 0) + 1, success)
    )


def log_mass(count: float, size: Floats, success: Floats) -> Floats:
    """(R,) the log probability of this count."""
    special = scipy_special()
    gammaln = special.gammaln
    ways = gammaln(count + size) - gammaln(count + 1) - gammaln(size)
    mass: Floats = ways + special.xlogy(size, success) + special.xlog1py(count, -success)
    return mass


def quantile(levels: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the least count that is not exceeded with the level's probability."""
    if not COMPILED:
        return _searched(levels, size, success)
    levels, size, success = (
        np.ascontiguousarray(numbers, dtype=np.float64)
        for numbers in np.broadcast_arrays(levels, size, success)
    )
    found = _added_up(levels, size, success)
    large = np.flatnonzero(found < 0)
    if len(large):
        found[large] = _searched(levels[large], size[large], success[large])
    return found


def _searched(levels: float | Floats, size: Floats, success: Floats) -> Floats:
    found = np.ceil(np.maximum(scipy_special().nbdtrik(levels, size, success), 0))
    less = np.maximum(found - 1, 0)
    found = np.where(below(less, size, success) >= levels, less, found)
    return np.where(np.asarray(levels) > 0, found, 0.0)


@compiled_as(f"float64[::1]({_FLOATS}, {_FLOATS}, {_FLOATS})")
def _added_up(levels: Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the quantiles; -1 where the counts are large."""
    found = np.full(len(levels), -1.0)
    for row in range(len(levels)):
        log_none = size[row] * np.log(success[row])
        if log_none < _LEAST_LOG:
            continue
        probability = np.exp(log_none)
        total = probability
        count = 0
        while total < levels[row] and count < _MOST_STEPS:
            probability *= (1.0 - success[row]) * (size[row] + count) / (count + 1)
            total += probability
            count += 1
        if total >= levels[row]:
            found[row] = count
    return found


def log_normal_density(value: float, location: Floats, deviation: Floats) -> Floats:
    """(R,) of a normal distribution at a value."""
    scaled = (value - location) / deviation
    return -(scaled**2) / 2 - np.log(deviation) - math.log(2 * math.pi) / 2
