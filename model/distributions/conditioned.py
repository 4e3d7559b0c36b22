"""What is left of a predictive distribution when logic bounds its outcome."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from model.distributions.bounds import Bounds
from model.distributions.distributions import Distribution
from model.distributions.truncated_amounts import TruncatedAmount
from model.distributions.truncated_times import TruncatedTime


def conditioned(distribution: Distribution, bounds: Bounds) -> Distribution:
    """The distribution cut off at the bounds; the same one where nothing is known."""
    kind = distribution.task.target.kind
    if bounds.is_open or kind not in {"occurs", "count", "sum", "time_to"}:
        return distribution
    if kind == "time_to":
        return TruncatedTime(**vars(distribution), after=bounds.least, by=bounds.most)
    if bounds.happens is not None:
        parameters = np.array(distribution.parameters)
        parameters[:, 0] = math.inf if bounds.happens else -math.inf
        distribution = replace(distribution, parameters=parameters)
    surely = 1.0 if kind == "count" else 0.0
    if kind == "occurs" or bounds.happens is False:
        return distribution
    if bounds.least <= surely and bounds.most == math.inf:
        return distribution
    return TruncatedAmount(**vars(distribution), least=bounds.least, most=bounds.most)
