"""The negative binomial by its size and its success probability, and the normal's density.

`scipy.special` alone: `scipy.stats` has the same, and half of SciPy has to be imported for it,
which a server would wait for and keep in memory.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, gammaln, nbdtrik, xlog1py, xlogy

Floats = NDArray[np.float64]


def below(count: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the probability of this count or less."""
    count = np.asarray(count, dtype=np.float64)
    return np.where(count < 0, 0.0, betainc(size, np.maximum(count, 0) + 1, success))


def beyond(count: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the probability of more than this count."""
    count = np.asarray(count, dtype=np.float64)
    return np.where(count < 0, 1.0, betaincc(size, np.maximum(count, 0) + 1, success))


def log_mass(count: float, size: Floats, success: Floats) -> Floats:
    """(R,) the log probability of this count."""
    ways = gammaln(count + size) - gammaln(count + 1) - gammaln(size)
    mass: Floats = ways + xlogy(size, success) + xlog1py(count, -success)
    return mass


def quantile(levels: float | Floats, size: Floats, success: Floats) -> Floats:
    """(R,) the least count that is not exceeded with the level's probability."""
    found = np.ceil(np.maximum(nbdtrik(levels, size, success), 0))
    less = np.maximum(found - 1, 0)
    found = np.where(below(less, size, success) >= levels, less, found)
    return np.where(np.asarray(levels) > 0, found, 0.0)


def log_normal_density(value: float, location: Floats, deviation: Floats) -> Floats:
    """(R,) of a normal distribution at a value."""
    scaled = (value - location) / deviation
    return -(scaled**2) / 2 - np.log(deviation) - math.log(2 * math.pi) / 2
