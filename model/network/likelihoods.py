"""The densities of the predictive distributions, and what an outcome says beyond its prediction.

Each takes one group's parameters and labels; `model.distributions` describes the four
distributions. Labels that are missing give NaN and no gradient.

    B = rows, T = tasks of the group, P = parameters, K = periods
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from model.distributions import (
    LOG_MEAN_RANGE,
    LOG_SIGMA_RANGE,
    LOG_SIZE_RANGE,
    Layout,
    LikelihoodName,
)

EVIDENCE = 2
"""Channels of what one outcome says: whether it happened, and how much more than expected."""


def by_group(
    layout: Layout, flat_BO: Tensor, labels: Sequence[Tensor]
) -> Iterator[tuple[LikelihoodName, Tensor, Tensor]]:
    """Each group's likelihood, parameters (B, T, P) out of the flat output, and labels."""
    for group, of_group in zip(layout.groups, labels, strict=True):
        columns = flat_BO[:, group.column_slice]
        yield group.likelihood, columns.reshape(len(columns), -1, group.parameters), of_group


def negative_log_likelihood(
    likelihood: LikelihoodName, parameters_BTP: Tensor, labels: Tensor
) -> Tensor:
    """Nats per row and task, NaN where the label is missing.

    Args:
        likelihood: which distribution.
        parameters_BTP: as the network gives them.
        labels: (B, T); for `hurdle_log_normal` the standardised log amount, -inf for nothing; for
            `periods` (B, T, 2, K): shares of the sales, and log of the exposure.
    """
    if likelihood == "periods":
        return _periods_nll(parameters_BTP, labels)
    missing = labels.isnan()
    filled = labels.masked_fill(missing, 0.0)
    match likelihood:
        case "bernoulli":
            nll = functional.binary_cross_entropy_with_logits(
                parameters_BTP[..., 0], filled, reduction="none"
            )
        case "hurdle_negative_binomial":
            nll = _hurdle(parameters_BTP, filled > 0, _negative_binomial(parameters_BTP, filled))
        case "hurdle_log_normal":
            some = filled > -math.inf
            amounts = filled.masked_fill(~some, 0.0)
            nll = _hurdle(parameters_BTP, some, _normal(parameters_BTP, amounts))
    return nll.masked_fill(missing, math.nan)


def _hurdle(parameters_BTP: Tensor, some: Tensor, amount_nll: Tensor) -> Tensor:
    hurdle = functional.binary_cross_entropy_with_logits(
        parameters_BTP[..., 0], some.to(amount_nll.dtype), reduction="none"
    )
    return hurdle + torch.where(some, amount_nll, 0.0)


def _negative_binomial(parameters_BTP: Tensor, counts: Tensor) -> Tensor:
    beyond_one = (counts - 1).clamp_min(0)
    log_mean = parameters_BTP[..., 1].clamp(*LOG_MEAN_RANGE)
    log_size = parameters_BTP[..., 2].clamp(*LOG_SIZE_RANGE)
    size = log_size.exp()
    log_total = torch.logaddexp(log_size, log_mean)
    return -(
        torch.lgamma(beyond_one + size)
        - torch.lgamma(size)
        - torch.lgamma(beyond_one + 1)
        + size * (log_size - log_total)
        + beyond_one * (log_mean - log_total)
    )


def _normal(parameters_BTP: Tensor, standardised: Tensor) -> Tensor:
    log_sigma = parameters_BTP[..., 2].clamp(*LOG_SIGMA_RANGE)
    z = (standardised - parameters_BTP[..., 1]) * torch.exp(-log_sigma)
    return 0.5 * z.square() + log_sigma + 0.5 * math.log(2 * math.pi)


def _periods_nll(parameters_BTP: Tensor, labels_BT2K: Tensor) -> Tensor:
    shares, log_exposure = labels_BT2K.unbind(dim=2)
    missing = shares.isnan().any(dim=-1)
    shares = torch.where(missing[..., None], 0.0, shares)
    # Cleared here too, for NaN times a gradient of zero is NaN.
    logits = parameters_BTP + torch.where(missing[..., None], 0.0, log_exposure)
    log_shares = functional.log_softmax(logits, dim=-1)
    # A period without exposure has share 0 and log probability -inf: 0 times -inf is 0 here.
    terms = torch.where(shares > 0, shares * log_shares.clamp_min(-30), 0.0)
    return (-terms.sum(dim=-1)).masked_fill(missing, math.nan)


def evidence(likelihood: LikelihoodName, parameters_BTP: Tensor, labels: Tensor) -> Tensor:
    """What the outcomes say that their predictions did not: (B, T, EVIDENCE), 0 where missing.

    The first channel is the outcome minus its probability, the second the standardised surprise
    of a positive amount. Periods say nothing.
    """
    if likelihood == "periods":
        return parameters_BTP.new_zeros(*parameters_BTP.shape[:2], EVIDENCE)
    missing = labels.isnan()
    filled = labels.masked_fill(missing, 0.0)
    surprise = torch.zeros_like(filled)
    match likelihood:
        case "bernoulli":
            some = filled > 0
        case "hurdle_negative_binomial":
            some = filled > 0
            expected = torch.log1p(parameters_BTP[..., 1].clamp(*LOG_MEAN_RANGE).exp())
            surprise = filled.clamp_min(1).log() - expected
        case "hurdle_log_normal":
            some = filled > -math.inf
            sigma = parameters_BTP[..., 2].clamp(*LOG_SIGMA_RANGE).exp()
            surprise = (filled.masked_fill(~some, 0.0) - parameters_BTP[..., 1]) / sigma
    happened = some.to(filled.dtype) - torch.sigmoid(parameters_BTP[..., 0])
    surprise = torch.where(some, surprise.clamp(-3, 3), 0.0)
    return torch.stack([happened, surprise], dim=-1).masked_fill(missing[..., None], 0.0)
