"""Counts and sums of which it is known that they are not less, or not more, than something.

R = rows
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.distributions.amounts import in_units, size_and_mean
from model.distributions.distributions import Distribution
from model.distributions.negative_binomial import below, beyond
from model.distributions.special import expit, scipy_special

Floats = NDArray[np.float64]

NOTHING_LEFT = 1e-12
"""With less than this between the bounds a distribution is as good as at one of them."""


@dataclass(frozen=True)
class TruncatedAmount(Distribution):
    """A count or sum from `least` to `most`, both included, in its own unit."""

    least: float = 0.0
    most: float = math.inf

    @cached_property
    def probability_any(self) -> Floats:
        """(R,) probability of at least one event within the horizon."""
        mass = self._zero + self._positive()[0]
        return 1 - np.minimum(self._zero / np.maximum(mass, NOTHING_LEFT), 1.0)

    @cached_property
    def expected(self) -> Floats:
        """(R,) mean of what is left."""
        positive, total = self._positive()
        mass = self._zero + positive
        mean = np.where(mass > NOTHING_LEFT, total / np.maximum(mass, NOTHING_LEFT), self.least)
        return np.clip(mean, self.least, self.most)

    def quantile(self, level: float) -> Floats:
        """(R,) quantile of what is left."""
        mass = self._zero + self._positive()[0]
        found = super()._quantile(np.minimum(self._below + level * mass, 1.0))
        return np.clip(found, self.least, self.most)

    def log_probability(self, outcome: float) -> Floats:
        """(R,) log of the probability or density of an outcome, -inf beyond the bounds."""
        if not self.least <= outcome <= self.most:
            return np.full(len(self.parameters), -math.inf)
        if self.least == self.most:
            return np.zeros(len(self.parameters))
        mass = self._zero + self._positive()[0]
        return super().log_probability(outcome) - np.log(np.maximum(mass, NOTHING_LEFT))

    @property
    def _some(self) -> Floats:
        return np.asarray(expit(self.parameters[:, 0]))

    @property
    def _zero(self) -> Floats:
        """(R,) probability of none at all, where the bounds allow it."""
        return (1 - self._some) * (self.least <= 0)

    @property
    def _below(self) -> Floats:
        """(R,) probability of less than the bounds."""
        if self.least <= 0:
            return np.zeros(len(self.parameters))
        if self.task.target.kind == "count":
            size, mean = size_and_mean(self.parameters)
            under = below(self.least - 2, size, size / (size + mean))
        else:
            location, deviation = self._location_and_deviation()
            under = scipy_special().ndtr((math.log(self.least) - location) / deviation)
        return np.asarray((1 - self._some) + self._some * under)

    def _positive(self) -> tuple[Floats, Floats]:
        """(R,) probability of a positive amount within the bounds, and its share of the mean."""
        if self.most <= 0:
            return np.zeros(len(self.parameters)), np.zeros(len(self.parameters))
        of_kind = self._counts if self.task.target.kind == "count" else self._sums
        mass, total = of_kind()
        return self._some * mass, self._some * total

    def _counts(self) -> tuple[Floats, Floats]:
        size, mean = size_and_mean(self.parameters)
        success = size / (size + mean)
        low, high = max(self.least, 1.0) - 1, self.most - 1  # of what is beyond the first
        mass = beyond(low - 1, size, success) - beyond(high, size, success)
        # k p(k; size) = mean * p(k - 1; size + 1)
        more = beyond(low - 2, size + 1, success) - beyond(high - 1, size + 1, success)
        return mass, mass + mean * more

    def _sums(self) -> tuple[Floats, Floats]:
        location, deviation = self._location_and_deviation()
        with np.errstate(divide="ignore"):
            low = (np.log(max(self.least, 0.0)) - location) / deviation
            high = (np.log(self.most) - location) / deviation
        ndtr = scipy_special().ndtr
        mass = ndtr(-low) - ndtr(-high)
        mean = np.exp(location + deviation**2 / 2)
        return mass, mean * (ndtr(deviation - low) - ndtr(deviation - high))

    def _location_and_deviation(self) -> tuple[Floats, Floats]:
        return in_units(self.parameters[:, 1], self.parameters[:, 2], self.scale)
