"""What an outcome says that its prediction did not, in NumPy.

`model.network.evidence` is the same in torch, as the joint head was trained with it.

    B = rows, T = tasks of the group, P = parameters
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.distributions.amounts import LOG_MEAN_RANGE, LOG_SIGMA_RANGE
from model.distributions.hazards import EDGES
from model.distributions.layout import LikelihoodName
from model.distributions.special import expit

Floats = NDArray[np.floating]

CHANNELS = 2
"""Of what one outcome says: whether it happened, and how much more than expected."""
WITHOUT_EVIDENCE: frozenset[LikelihoodName] = frozenset({"periods", "categorical"})
"""The outcomes of these say nothing about other tasks."""
MOST_SURPRISE = 3.0


def evidence(likelihood: LikelihoodName, parameters_BTP: Floats, labels_BT: Floats) -> Floats:
    """(B, T, CHANNELS), 0 where the label is missing; see `model.network.evidence`.

    Args:
        likelihood: which distribution.
        parameters_BTP: as they are served.
        labels_BT: as the likelihood takes them, NaN where unknown.
    """
    said = np.zeros((*labels_BT.shape, CHANNELS), dtype=parameters_BTP.dtype)
    if likelihood in WITHOUT_EVIDENCE:
        return said
    missing = np.isnan(labels_BT)
    filled = np.where(missing, 0.0, labels_BT).astype(parameters_BTP.dtype)
    some, probability, surprise = _told(likelihood, parameters_BTP, filled)
    said[..., 0] = np.where(missing, 0.0, some - probability)
    bounded = np.clip(surprise, -MOST_SURPRISE, MOST_SURPRISE)
    said[..., 1] = np.where(missing | ~some, 0.0, bounded)
    return said


def _told(
    likelihood: LikelihoodName, parameters_BTP: Floats, filled: Floats
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Whether it happened, how probable that was, and how much more it was than expected."""
    probability = expit(parameters_BTP[..., 0])
    match likelihood:
        case "bernoulli":
            return filled > 0, probability, np.zeros_like(filled)
        case "hurdle_negative_binomial":
            expected = np.log1p(np.exp(np.clip(parameters_BTP[..., 1], *LOG_MEAN_RANGE)))
            return filled > 0, probability, np.log(np.maximum(filled, 1)) - expected
        case "hurdle_log_normal":
            some = filled > -np.inf
            amounts = np.where(some, filled, 0.0)
            return some, probability, _standardised(amounts, parameters_BTP[..., 1:])
        case "normal":
            there_is = np.ones_like(filled, dtype=bool)
            return there_is, np.ones_like(filled), _standardised(filled, parameters_BTP)
        case "hazard":
            hazards = np.logaddexp(np.zeros_like(parameters_BTP), parameters_BTP)
            within_BTJ = -np.expm1(-hazards.cumsum(axis=-1))
            return filled < np.inf, within_BTJ[..., -1], _sooner(filled, within_BTJ)
        case _:
            raise AssertionError(likelihood)


def _standardised(values: Floats, mean_and_log_sigma_BT2: Floats) -> Floats:
    mean, log_sigma = mean_and_log_sigma_BT2[..., 0], mean_and_log_sigma_BT2[..., 1]
    standardised: Floats = (values - mean) / np.exp(np.clip(log_sigma, *LOG_SIGMA_RANGE))
    return standardised


def _sooner(fractions: Floats, within_BTJ: Floats) -> Floats:
    """Where the event's bin lies among those that it could have come in, mean 0 and variance 1."""
    bins = np.searchsorted(np.asarray(EDGES, dtype=fractions.dtype), fractions)
    bins_BT1 = np.minimum(bins, len(EDGES) - 1)[..., None]
    starts = np.concatenate([np.zeros_like(within_BTJ[..., :1]), within_BTJ[..., :-1]], axis=-1)
    before = np.take_along_axis(starts, bins_BT1, axis=-1)
    after = np.take_along_axis(within_BTJ, bins_BT1, axis=-1)
    passed = ((before + after) / 2)[..., 0] / np.maximum(within_BTJ[..., -1], 1e-12)
    sooner: Floats = (0.5 - passed) * 12**0.5
    return sooner
