"""The parameters that say the same for everybody, in closed form, from one task's labels.

Each takes (R,) labels as the likelihood takes them, NaN where missing, and (R,) weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from model.distributions import BINS, EDGES, LOG_SIGMA_RANGE
from model.network.likelihoods import bin_of

_RARELY = 1e-5


def rate_logit(happened: Tensor, weights: Tensor) -> Tensor:
    """The logit of how often it happens; of a half without a label."""
    rate = ((happened * weights).sum() / weights.sum()).nan_to_num(0.5)
    return torch.logit(rate.clamp(_RARELY, 1 - _RARELY))


def class_logits(codes: Tensor, weights: Tensor, classes: int) -> Tensor:
    """(classes,) log shares, each class having been seen half a time more (Krichevsky, Trofimov).

    So a class that the rows do not show has a probability all the same.
    """
    known = ~codes.isnan()
    seen = torch.bincount(codes[known].long(), weights=weights[known], minlength=classes) + 0.5
    return (seen / seen.sum()).log()


def hazard_logits(fractions: Tensor, weights: Tensor) -> Tensor:
    """(bins,) how often it comes in each bin among those to whom it has not come before.

    Each bin counts one row more, with the hazard rate of the whole horizon.
    """
    known = ~fractions.isnan()
    bins = bin_of(fractions[known])
    counted = torch.bincount(bins, weights=weights[known], minlength=BINS + 1)
    came = counted[:BINS]
    at_risk = counted.flip(0).cumsum(0).flip(0)[:BINS]
    widths = torch.diff(torch.tensor(EDGES), prepend=torch.zeros(1))
    rate = came.sum() / (at_risk * widths).sum().clamp_min(_RARELY)
    chance = (came - torch.expm1(-rate * widths)) / (at_risk + 1)
    return torch.logit(chance.clamp(_RARELY, 1 - _RARELY))


def normal_parameters(numbers: Tensor, weights: Tensor) -> Tensor:
    """(2,) mean and log deviation."""
    known = ~numbers.isnan()
    share = functional.normalize(weights[known], p=1, dim=0)
    mean = (share * numbers[known]).sum()
    variance = (share * (numbers[known] - mean).square()).sum()
    log_sigma = 0.5 * variance.clamp_min(math.exp(2 * LOG_SIGMA_RANGE[0])).log()
    return torch.stack([mean, log_sigma.clamp_max(LOG_SIGMA_RANGE[1])])
