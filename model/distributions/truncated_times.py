"""Times of which it is known that an event has not come by some day, or has come by another.

R = rows
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.distributions import hazards
from model.distributions.distributions import Distribution
from model.distributions.truncated_amounts import NOTHING_LEFT

Floats = NDArray[np.float64]

_ONE_MOMENT_DAYS = 1e-6


@dataclass(frozen=True)
class TruncatedTime(Distribution):
    """Days to an event that comes later than `after` and not later than `by`, both in days.

    `after` is the horizon where it is known not to come; `by` is infinite where nothing is known
    of what comes later.
    """

    after: float = 0.0
    by: float = math.inf

    def probability_within(self, days: float) -> Floats:
        """(R,) probability that the event comes within so many days."""
        if days <= self.after or days >= self.by:
            return np.full(len(self.parameters), float(days >= self.by))
        passed = self._survival(self.after) - self._survival(days)
        return np.clip(passed / self._mass, 0.0, 1.0)

    @cached_property
    def expected(self) -> Floats:
        """(R,) mean of the days, or of the horizon where it does not come before."""
        horizon = float(self.task.horizon_days)
        start, end = min(self.after, horizon), min(self.by, horizon)
        survived = horizon * (self._mean_until(end) - self._mean_until(start))
        left = (survived - self._survival(self.by) * (end - start)) / self._mass
        return np.clip(start + left, start, end)

    def quantile(self, level: float) -> Floats:
        """(R,) by when it has come with this probability, NaN beyond the horizon."""
        horizon = self.task.horizon_days
        if self.after >= horizon:
            return np.full(len(self.parameters), math.nan)
        passed = 1 - self._survival(self.after) + level * self._mass
        days = hazards.quantile(self.parameters, np.minimum(passed, 1 - 1e-15)) * horizon
        if self.by <= horizon:
            days = np.where(np.isnan(days), self.by, days)
        return np.clip(days, self.after, self.by)

    def log_probability(self, outcome: float) -> Floats:
        """(R,) log density of a day, log probability of infinity; -inf beyond the bounds."""
        horizon = self.task.horizon_days
        never = outcome > horizon
        allowed = self.by > horizon if never else self.after < outcome <= self.by
        if not allowed:
            return np.full(len(self.parameters), -math.inf)
        if (never and self.after >= horizon) or self.by - self.after < _ONE_MOMENT_DAYS:
            return np.zeros(len(self.parameters))
        return super().log_probability(outcome) - np.log(self._mass)

    @property
    def _mass(self) -> Floats:
        """(R,) probability of what lies between the bounds."""
        return np.maximum(self._survival(self.after) - self._survival(self.by), NOTHING_LEFT)

    def _survival(self, days: float) -> Floats:
        """(R,) probability that it has not come by then, before anything was known."""
        if days == math.inf:
            return np.zeros(len(self.parameters))
        return 1 - hazards.probability_within(
            self.parameters, min(days / self.task.horizon_days, 1.0)
        )

    def _mean_until(self, days: float) -> Floats:
        return hazards.restricted_mean(self.parameters, days / self.task.horizon_days)
