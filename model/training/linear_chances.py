"""Logistic regressions of many tasks on a few features each, by Newton's method.

Tasks that read the same features are fitted together: a thousand of them are products of matrices.

R = rows, T = tasks, F = features of a task, and one more for the intercept
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_ITERATIONS = 12
_LONGEST_STEP = 2.0


def fit_chances(
    inputs_RTF: Tensor,
    features_TF: Tensor,
    came_RT: Tensor,
    row_weights_R: Tensor,
    start_T: Tensor,
    ridge: float,
) -> Tensor:
    """(T, F + 1) the weights of each task, the intercept last.

    Args:
        inputs_RTF: standardised features.
        features_TF: which ones a task reads.
        came_RT: 1 where it came, 0 where it did not, NaN where that is missing.
        row_weights_R: how much each row counts.
        start_T: the log odds of everybody.
        ridge: pulls the weights to zero and all to the start, in units of the task's nats.
    """
    tasks, features = features_TF.shape
    weights = torch.zeros(tasks, features + 1)
    weights[:, -1] = start_T
    _, kind_T = torch.unique(features_TF, dim=0, return_inverse=True)
    for kind in range(int(kind_T.max()) + 1):
        alike = torch.nonzero(kind_T == kind).flatten()
        inputs_RG = torch.cat([inputs_RTF[:, alike[0]], torch.ones(len(inputs_RTF), 1)], dim=1)
        weights[alike] = _fit_alike(
            inputs_RG, came_RT[:, alike], row_weights_R, weights[alike], ridge
        )
    return weights


def _fit_alike(
    inputs_RG: Tensor, came_RT: Tensor, row_weights_R: Tensor, start_TG: Tensor, ridge: float
) -> Tensor:
    missing = came_RT.isnan()
    came = came_RT.nan_to_num(0.0)
    rows_T = (~missing).sum(dim=0).clamp_min(1)
    counts_RT = torch.where(missing, 0.0, row_weights_R[:, None]) / rows_T
    pulled_G = torch.full((inputs_RG.shape[1],), 2 * ridge)
    pulled_G[-1] = 0.0  # the intercept is pulled to the start alone
    products = (inputs_RG[:, :, None] * inputs_RG[:, None, :]).flatten(1)
    identity = torch.eye(len(pulled_G))

    def nats(weights_TG: Tensor) -> Tensor:
        logits = inputs_RG @ weights_TG.T
        return (counts_RT * (functional.softplus(logits) - came * logits)).sum(dim=0)

    weights = start_TG
    unit_T = nats(start_TG).clamp_min(1e-6)
    for _ in range(_ITERATIONS):
        chance = torch.sigmoid(inputs_RG @ weights.T)
        slope = (counts_RT * (chance - came)).T @ inputs_RG / unit_T[:, None]
        slope = slope + weights * pulled_G + 2 * ridge * (weights - start_TG)
        bend = (counts_RT * chance * (1 - chance)).T @ products / unit_T[:, None]
        bend = bend.view(-1, *identity.shape) + torch.diag(pulled_G) + 2 * ridge * identity
        step = torch.linalg.solve(bend.double(), slope.double()).float()
        length = step.norm(dim=1, keepdim=True)
        weights = weights - step * (_LONGEST_STEP / length.clamp_min(1e-12)).clamp_max(1.0)
    return weights
