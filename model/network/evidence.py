"""What an outcome says that its prediction did not.

B = rows, T = tasks of the group, P = parameters
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from model.distributions import (
    LOG_MEAN_RANGE,
    LOG_SIGMA_RANGE,
    LikelihoodName,
)
from model.network.likelihoods import bin_of

EVIDENCE = 2
"""Channels of what one outcome says: whether it happened, and how much more than expected."""


def evidence(likelihood: LikelihoodName, parameters_BTP: Tensor, labels: Tensor) -> Tensor:
    """(B, T, EVIDENCE), 0 where the label is missing.

    The first channel is the outcome minus its probability; a number has none. The second is the
    standardised surprise of a positive amount or of a number, and of a time how much sooner than
    expected the event came. Periods and classes say nothing.

    Args:
        likelihood: which distribution.
        parameters_BTP: as the network gives them.
        labels: see `negative_log_likelihood`.
    """
    if likelihood in {"periods", "categorical"}:
        return parameters_BTP.new_zeros(*parameters_BTP.shape[:2], EVIDENCE)
    missing = labels.isnan()
    filled = labels.masked_fill(missing, 0.0)
    probability = torch.sigmoid(parameters_BTP[..., 0])
    surprise = torch.zeros_like(filled)
    match likelihood:
        case "bernoulli":
            some = filled > 0
        case "hurdle_negative_binomial":
            some = filled > 0
            expected = torch.log1p(parameters_BTP[..., 1].clamp(*LOG_MEAN_RANGE).exp())
            surprise = filled.clamp_min(1).log() - expected
        case "hurdle_log_normal":
            some = filled > -torch.inf
            amounts = filled.masked_fill(~some, 0.0)
            surprise = _standardised(amounts, parameters_BTP[..., 1:])
        case "normal":
            some = torch.ones_like(missing)
            probability = torch.ones_like(filled)  # there always is a number
            surprise = _standardised(filled, parameters_BTP)
        case "hazard":
            some = filled < torch.inf
            within_BTJ = -torch.expm1(-functional.softplus(parameters_BTP).cumsum(dim=-1))
            probability = within_BTJ[..., -1]
            surprise = _sooner(filled, within_BTJ)
    happened = some.to(filled.dtype) - probability
    surprise = torch.where(some, surprise.clamp(-3, 3), 0.0)
    return torch.stack([happened, surprise], dim=-1).masked_fill(missing[..., None], 0.0)


def _standardised(values: Tensor, mean_and_log_sigma_BT2: Tensor) -> Tensor:
    mean, log_sigma = mean_and_log_sigma_BT2.unbind(dim=-1)
    return (values - mean) / log_sigma.clamp(*LOG_SIGMA_RANGE).exp()


def _sooner(fractions: Tensor, within_BTJ: Tensor) -> Tensor:
    """Where the event's bin lies among those that it could have come in, at mean 0 and variance 1.

    Given that it comes, the share of its probability that has passed is uniform.
    """
    bins_BT1 = bin_of(fractions).clamp_max(within_BTJ.shape[-1] - 1)[..., None]
    before = functional.pad(within_BTJ, (1, 0))[..., :-1].gather(-1, bins_BT1)
    after = within_BTJ.gather(-1, bins_BT1)
    passed = ((before + after) / 2).squeeze(-1) / within_BTJ[..., -1].clamp_min(1e-12)
    return (0.5 - passed) * 12**0.5
