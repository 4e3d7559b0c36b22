"""Means and quantiles of counts, sums and numbers, from the network's parameters.

Each takes the parameters as (R, P) and gives (R,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.distributions.count_quantiles import negative_binomial_quantile
from model.distributions.scale import Scale
from model.distributions.special import expit, ndtri

Floats = NDArray[np.float64]

LOG_MEAN_RANGE = (-8.0, 14.0)
LOG_SIZE_RANGE = (-4.0, 6.0)
LOG_SIGMA_RANGE = (-2.5, 1.5)


def count_mean(parameters: Floats) -> Floats:
    """Mean of a count, zero included."""
    a, b, _ = parameters.T
    return np.asarray(expit(a) * (1 + np.exp(np.clip(b, *LOG_MEAN_RANGE))))


def sum_mean(parameters: Floats, scale: Scale) -> Floats:
    """Mean of a sum, zero included."""
    a, b, c = parameters.T
    mean, deviation = in_units(b, c, scale)
    return np.asarray(expit(a) * np.exp(mean + deviation**2 / 2))


def number_mean(parameters: Floats, scale: Scale) -> Floats:
    """Mean of a number."""
    mean, log_sigma = parameters.T
    return np.asarray(in_units(mean, log_sigma, scale)[0])


def count_quantile(parameters: Floats, level: float | Floats) -> Floats:
    """Quantile of a count, zero included."""
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), len(parameters))
    a = parameters[:, 0]
    some = levels > 1 - expit(a)
    inside = _among_positive(a[some], levels[some])
    size, mean = size_and_mean(parameters[some])
    quantile = np.zeros(len(parameters))
    quantile[some] = 1 + negative_binomial_quantile(inside, size, mean)
    return quantile


def sum_quantile(parameters: Floats, level: float | Floats, scale: Scale) -> Floats:
    """Quantile of a sum, zero included."""
    a, b, c = parameters.T
    location, deviation = in_units(b, c, scale)
    inside = _among_positive(a, level)
    positive = np.exp(location + deviation * ndtri(np.maximum(inside, 1e-9)))
    return np.where(level <= 1 - expit(a), 0.0, positive)


def number_quantile(parameters: Floats, level: float | Floats, scale: Scale) -> Floats:
    """Quantile of a number."""
    mean, log_sigma = parameters.T
    location, deviation = in_units(mean, log_sigma, scale)
    return np.asarray(location + deviation * ndtri(level))


def _among_positive(a: Floats, level: float | Floats) -> Floats:
    """The level that a quantile has among the positive outcomes alone."""
    some = expit(a)
    inside: Floats = np.clip((level - (1 - some)) / np.maximum(some, 1e-12), 0, 1 - 1e-9)
    return inside


def size_and_mean(parameters: Floats) -> tuple[Floats, Floats]:
    """(R,) of the negative binomial that counts what is beyond the first."""
    _, b, c = parameters.T
    return np.exp(np.clip(c, *LOG_SIZE_RANGE)), np.exp(np.clip(b, *LOG_MEAN_RANGE))


def in_units(mean: Floats, log_sigma: Floats, scale: Scale) -> tuple[Floats, Floats]:
    """(R,) location and deviation of the log amount or of the number, unstandardised."""
    sigma = np.exp(np.clip(log_sigma, *LOG_SIGMA_RANGE))
    return scale.location + scale.scale * mean, scale.scale * sigma
