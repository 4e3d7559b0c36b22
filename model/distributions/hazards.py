"""Time to an event as a discrete hazard: in each bin of the horizon the chance that it comes there.

    h_j = expit(a_j)                      it comes in bin j, if it has not come before
    S_j = prod over i <= j of (1 - h_i)   it has not come by the end of bin j

The bins are the same fractions of every task's horizon, narrow at first, because what comes at all
mostly comes soon. Within a bin the hazard rate is taken as constant, so that the cumulative hazard
-log S is linear between the edges.

    R = rows, J = bins
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EDGES = (0.02, 0.05, 0.1, 0.17, 0.25, 0.35, 0.48, 0.63, 0.8, 1.0)
"""Where the bins end, as fractions of the horizon; an event at an edge lies in the bin it ends."""
BINS = len(EDGES)

_LEAST_HAZARD = 1e-12
_STARTS = np.array((0.0, *EDGES))
_WIDTHS = np.diff(_STARTS)


def probability_within(logits_RJ: Floats, fraction: float = 1.0) -> Floats:
    """(R,) probability that it comes within a fraction of the horizon."""
    return np.asarray(-np.expm1(-_hazard_until(logits_RJ, fraction)))


def logit_within(logits_RJ: Floats) -> Floats:
    """(R,) log odds of its coming within the horizon."""
    return _log_expm1(_cumulative_hazard(logits_RJ)[:, -1])


def with_chance(logits_RJ: Floats, logit_R: Floats) -> Floats:
    """(R, J) the same shape in time with another chance of coming, its log odds given.

    The hazard rate is multiplied by the same factor everywhere.
    """
    steps = np.logaddexp(0.0, np.asarray(logits_RJ, dtype=np.float64))
    wanted = np.logaddexp(0.0, np.asarray(logit_R, dtype=np.float64))
    factor = wanted / np.maximum(steps.sum(axis=1), _LEAST_HAZARD)
    return _log_expm1(steps * factor[:, None])


def log_survival(logits_RJ: Floats) -> Floats:
    """(R,) log probability that it does not come within the horizon."""
    return -_hazard_until(logits_RJ, 1.0)


def log_density(logits_RJ: Floats, fraction: float) -> Floats:
    """(R,) log density of its coming at a fraction of the horizon, per horizon."""
    steps = np.maximum(np.logaddexp(0.0, logits_RJ[:, _bin_of(fraction)]), 1e-12)
    log_rate = np.log(steps / _WIDTHS[_bin_of(fraction)])
    return np.asarray(log_rate - _hazard_until(logits_RJ, fraction))


def restricted_mean(logits_RJ: Floats, fraction: float = 1.0) -> Floats:
    """(R,) mean of the time or of a fraction of the horizon, whichever comes first."""
    cumulative = _cumulative_hazard(logits_RJ)
    hazard = np.maximum(np.diff(cumulative, axis=1), 1e-12)
    parts = np.clip((fraction - _STARTS[:-1]) / _WIDTHS, 0.0, 1.0)
    mean_survival = np.exp(-cumulative[:, :-1]) * -np.expm1(-hazard * parts) / hazard
    return np.asarray(mean_survival @ _WIDTHS)


def quantile(logits_RJ: Floats, level: float | Floats) -> Floats:
    """(R,) by when it has come with this probability, as a fraction of the horizon.

    NaN where that lies beyond the horizon.
    """
    cumulative = _cumulative_hazard(logits_RJ)
    wanted = np.broadcast_to(-np.log1p(-level), len(logits_RJ))
    bin_of = np.minimum((cumulative[:, 1:] < wanted[:, None]).sum(axis=1), BINS - 1)
    rows = np.arange(len(logits_RJ))
    before, after = cumulative[rows, bin_of], cumulative[rows, bin_of + 1]
    inside = (wanted - before) / np.maximum(after - before, 1e-12)
    found = _STARTS[bin_of] + np.minimum(inside, 1.0) * _WIDTHS[bin_of]
    return np.where(cumulative[:, -1] >= wanted, found, np.nan)


def _log_expm1(values: Floats) -> Floats:
    """Without overflow: the inverse of log(1 + exp(x))."""
    bounded = np.maximum(np.asarray(values, dtype=np.float64), _LEAST_HAZARD)
    return np.asarray(bounded + np.log(-np.expm1(-bounded)))


def _hazard_until(logits_RJ: Floats, fraction: float) -> Floats:
    """(R,) -log S at a fraction of the horizon."""
    cumulative = _cumulative_hazard(logits_RJ)
    bin_of = _bin_of(fraction)
    inside = (fraction - _STARTS[bin_of]) / _WIDTHS[bin_of]
    before, after = cumulative[:, bin_of], cumulative[:, bin_of + 1]
    return np.asarray(before + inside * (after - before))


def _bin_of(fraction: float) -> int:
    return min(int(np.searchsorted(EDGES, fraction)), BINS - 1)


def _cumulative_hazard(logits_RJ: Floats) -> Floats:
    """(R, J + 1) -log S at the start and at each edge; -log(1 - h) is softplus(a)."""
    steps = np.logaddexp(0.0, logits_RJ)
    return np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
