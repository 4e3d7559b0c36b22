"""The densities of the predictive distributions.

Each takes one group's parameters and labels; `model.distributions` describes the seven
distributions. Labels that are missing give NaN and no gradient.

    B = rows, T = tasks of the group, P = parameters, K = periods or classes, J = bins
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from model.distributions import (
    EDGES,
    LOG_MEAN_RANGE,
    LOG_SIGMA_RANGE,
    LOG_SIZE_RANGE,
    Layout,
    LikelihoodName,
)


def by_group(
    layout: Layout, flat_BO: Tensor, labels: Sequence[Tensor]
) -> Iterator[tuple[LikelihoodName, Tensor, Tensor]]:
    """Each group's likelihood, parameters (B, T, P) out of the flat output, and labels."""
    for group, of_group in zip(layout.groups, labels, strict=True):
        columns = flat_BO[:, group.column_slice]
        yield group.likelihood, columns.reshape(len(columns), -1, group.parameters), of_group


def nll_of_all(layout: Layout, flat_BO: Tensor, labels: Sequence[Tensor]) -> Tensor:
    """(B, T) nats per row and task of a layout, NaN where the label is missing."""
    parts = by_group(layout, flat_BO, labels)
    return torch.cat([negative_log_likelihood(*part) for part in parts], dim=1)


def negative_log_likelihood(
    likelihood: LikelihoodName, parameters_BTP: Tensor, labels: Tensor
) -> Tensor:
    """Nats per row and task, NaN where the label is missing.

    Args:
        likelihood: which distribution.
        parameters_BTP: as the network gives them.
        labels: (B, T); for `hurdle_log_normal` the standardised log amount, -inf for nothing; for
            `normal` the standardised number; for `categorical` the class's position; for `hazard`
            the fraction of the horizon that passed, inf for what did not come within it; for
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
            nll = _hurdle(parameters_BTP, some, _normal(parameters_BTP[..., 1:], amounts))
        case "normal":
            nll = _normal(parameters_BTP, filled)
        case "categorical":
            nll = _categorical(parameters_BTP, filled)
        case "hazard":
            nll = _hazard(parameters_BTP, filled)
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


def _normal(mean_and_log_sigma_BT2: Tensor, standardised: Tensor) -> Tensor:
    mean, log_sigma = mean_and_log_sigma_BT2.unbind(dim=-1)
    log_sigma = log_sigma.clamp(*LOG_SIGMA_RANGE)
    z = (standardised - mean) * torch.exp(-log_sigma)
    return 0.5 * z.square() + log_sigma + 0.5 * math.log(2 * math.pi)


def _categorical(logits_BTK: Tensor, classes: Tensor) -> Tensor:
    log_shares = functional.log_softmax(logits_BTK, dim=-1)
    return -log_shares.gather(-1, classes.long()[..., None]).squeeze(-1)


def _hazard(logits_BTJ: Tensor, fractions: Tensor) -> Tensor:
    bins_BT1 = bin_of(fractions)[..., None]
    bins_J = torch.arange(logits_BTJ.shape[-1], device=logits_BTJ.device)
    happens = (bins_J == bins_BT1).to(logits_BTJ.dtype)
    nll = functional.binary_cross_entropy_with_logits(logits_BTJ, happens, reduction="none")
    # Nothing is asked of the bins after the event.
    return torch.where(bins_J <= bins_BT1, nll, 0.0).sum(dim=-1)


def bin_of(fractions: Tensor) -> Tensor:
    """The bin that a fraction of the horizon lies in; their number for what lies beyond it."""
    return torch.bucketize(fractions, fractions.new_tensor(EDGES))


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
