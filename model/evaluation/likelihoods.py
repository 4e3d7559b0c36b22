"""How improbable what happened was, in NumPy: after the fact there is no torch.

`model.network.likelihoods` is the same in torch, as the network was trained with it.

    R = rows, P = parameters, K = periods or classes, J = bins
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from model.distributions import (
    EDGES,
    LOG_MEAN_RANGE,
    LOG_SIGMA_RANGE,
    LOG_SIZE_RANGE,
    LikelihoodName,
)
from model.distributions.special import log_softmax, scipy_special

Floats = NDArray[np.float64]


def negative_log_likelihood(
    likelihood: LikelihoodName, parameters_RP: Floats, labels: NDArray[np.floating]
) -> Floats:
    """(R,) nats, NaN where the label is missing.

    Args:
        likelihood: which distribution.
        parameters_RP: as they are served.
        labels: (R,), or (R, 2, K) for `periods`; see `model.evaluation.learned_units`.
    """
    if likelihood == "periods":
        return _periods(parameters_RP, labels.astype(np.float64))
    missing = np.isnan(labels)
    filled = np.where(missing, 0.0, labels).astype(np.float64)
    match likelihood:
        case "bernoulli":
            nll = _binary(parameters_RP[:, 0], filled > 0)
        case "hurdle_negative_binomial":
            nll = _hurdle(parameters_RP, filled > 0, _negative_binomial(parameters_RP, filled))
        case "hurdle_log_normal":
            some = filled > -np.inf
            amounts = np.where(some, filled, 0.0)
            nll = _hurdle(parameters_RP, some, _normal(parameters_RP[:, 1:], amounts))
        case "normal":
            nll = _normal(parameters_RP, filled)
        case "categorical":
            shares = log_softmax(parameters_RP)
            nll = -shares[np.arange(len(filled)), filled.astype(np.int64)]
        case "hazard":
            nll = _hazard(parameters_RP, filled)
    return np.where(missing, np.nan, nll)


def _binary(logits: Floats, happened: NDArray[np.bool_]) -> Floats:
    return np.logaddexp(0.0, np.where(happened, -logits, logits))


def _hurdle(parameters_RP: Floats, some: NDArray[np.bool_], amount_nll: Floats) -> Floats:
    return _binary(parameters_RP[:, 0], some) + np.where(some, amount_nll, 0.0)


def _negative_binomial(parameters_RP: Floats, counts: Floats) -> Floats:
    beyond_one = np.maximum(counts - 1, 0)
    log_mean = np.clip(parameters_RP[:, 1], *LOG_MEAN_RANGE)
    log_size = np.clip(parameters_RP[:, 2], *LOG_SIZE_RANGE)
    size = np.exp(log_size)
    log_total = np.logaddexp(log_size, log_mean)
    gammaln = scipy_special().gammaln
    return np.asarray(
        -(
            gammaln(beyond_one + size)
            - gammaln(size)
            - gammaln(beyond_one + 1)
            + size * (log_size - log_total)
            + beyond_one * (log_mean - log_total)
        )
    )


def _normal(mean_and_log_sigma_R2: Floats, standardised: Floats) -> Floats:
    mean, log_sigma = mean_and_log_sigma_R2.T
    log_sigma = np.clip(log_sigma, *LOG_SIGMA_RANGE)
    z = (standardised - mean) * np.exp(-log_sigma)
    return np.asarray(0.5 * z**2 + log_sigma + 0.5 * math.log(2 * math.pi))


def _hazard(logits_RJ: Floats, fractions: Floats) -> Floats:
    bin_of = np.searchsorted(np.array(EDGES, np.float32), fractions.astype(np.float32))[:, None]
    bins_J = np.arange(logits_RJ.shape[1])
    nll = _binary(logits_RJ, bins_J == bin_of)
    # Nothing is asked of the bins after the event.
    return np.asarray(np.where(bins_J <= bin_of, nll, 0.0).sum(axis=1))


def _periods(parameters_RK: Floats, labels_R2K: Floats) -> Floats:
    shares, log_exposure = labels_R2K[:, 0], labels_R2K[:, 1]
    missing = np.asarray(np.isnan(shares).any(axis=1))
    shares = np.where(missing[:, None], 0.0, shares)
    log_exposure = np.where(missing[:, None], 0.0, log_exposure)
    log_shares = np.maximum(log_softmax(parameters_RK + log_exposure), -30)
    nll = -np.where(shares > 0, shares * log_shares, 0.0).sum(axis=1)
    return np.where(missing, np.nan, nll)
