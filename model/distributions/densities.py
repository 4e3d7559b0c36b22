"""The densities of the predictive distributions, in natural units and in NumPy.

`model.network.likelihoods` has them in the units that are learned, for training. Times have a
density per day here, sums and numbers one per unit of theirs.

    R = rows
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.distributions import hazards, negative_binomial
from model.distributions.amounts import in_units, size_and_mean
from model.distributions.negative_binomial import log_normal_density
from model.distributions.scale import Scale
from model.distributions.special import log_expit

Floats = NDArray[np.float64]


def log_happens(logits_R: Floats, happens: bool) -> Floats:
    """(R,) log probability of an event with these log odds, or of none."""
    log_probability: Floats = log_expit(logits_R if happens else -logits_R)
    return log_probability


def log_count(parameters: Floats, count: float) -> Floats:
    """(R,) log probability of a count."""
    if count == 0:
        return log_happens(parameters[:, 0], False)
    size, mean = size_and_mean(parameters)
    beyond = negative_binomial.log_mass(count - 1, size, size / (size + mean))
    return log_happens(parameters[:, 0], True) + beyond


def log_sum(parameters: Floats, amount: float, scale: Scale) -> Floats:
    """(R,) log density of a sum; the log probability of nothing."""
    if amount == 0:
        return log_happens(parameters[:, 0], False)
    location, deviation = in_units(parameters[:, 1], parameters[:, 2], scale)
    log_amount = math.log(amount)
    density = log_normal_density(log_amount, location, deviation) - log_amount
    return log_happens(parameters[:, 0], True) + density


def log_number(parameters: Floats, number: float, scale: Scale) -> Floats:
    """(R,) log density of a number."""
    return log_normal_density(number, *in_units(parameters[:, 0], parameters[:, 1], scale))


def log_time(logits_RJ: Floats, days: float, horizon_days: float) -> Floats:
    """(R,) log density of a time in days; of infinity the log probability that none comes."""
    if days > horizon_days:
        return hazards.log_survival(logits_RJ)
    return hazards.log_density(logits_RJ, days / horizon_days) - math.log(horizon_days)
