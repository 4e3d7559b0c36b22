"""Calibration of the network's parameters on validation rows.

Each parameter p of a task becomes slope * p + shift: for probabilities this is Platt's scaling,
for amounts and numbers it moves and scales the location and the spread. The periods, classes or
bins of a task have one slope together, a temperature; periods have no shift. Fitted by maximum
likelihood with a pull towards the identity, so that few rows change little.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.distributions import Layout, LikelihoodName
from model.network.likelihoods import nll_of_all

ONE_FOR_ALL: frozenset[LikelihoodName] = frozenset({"periods", "categorical", "hazard"})
"""Likelihoods whose parameters have one value together."""
_PULL = 20.0
"""How many rows' worth of evidence the identity has."""


def fit_calibration(
    layout: Layout,
    marginals_RO: Tensor,
    labels: list[Tensor],
    weights_R: Tensor,
) -> tuple[Tensor, Tensor]:
    """The (columns,) slopes and shifts that make the validation rows most likely.

    Args:
        layout: the tasks.
        marginals_RO: validation has few cutoffs, so that a shift would follow what the shop did
            at these: with the outlook that came true it is what the network misses.
        labels: per group, see `negative_log_likelihood`.
        weights_R: of the rows.
    """
    columns = layout.columns
    slope = torch.ones(columns, requires_grad=True)
    shift = torch.zeros(columns, requires_grad=True)
    moves = torch.ones(columns)
    task_of_column = torch.tensor(layout.task_of_column)
    for group in layout.groups:
        if group.likelihood == "periods":
            moves[group.column_slice] = 0.0
    optimizer = torch.optim.LBFGS([slope, shift], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        nll = nll_of_all(layout, marginals_RO * one_of_task(layout, slope) + shift * moves, labels)
        known = ~nll.isnan()
        rows = known.sum(dim=0).clamp_min(1)
        mean = torch.where(known, nll * weights_R[:, None], 0.0).sum(dim=0) / rows
        pull = (_PULL / rows)[task_of_column]
        loss = mean.sum() + (pull * ((slope - 1).square() + shift.square())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return one_of_task(layout, slope).detach(), (shift * moves).detach()


def one_of_task(layout: Layout, values_O: Tensor) -> Tensor:
    """(O,) the same, but for one value for all periods, classes or bins of a task: their mean."""
    parts = [
        values_O[group.column_slice]
        .view(-1, group.parameters)
        .mean(dim=1, keepdim=True)
        .expand(-1, group.parameters)
        .flatten()
        if group.likelihood in ONE_FOR_ALL
        else values_O[group.column_slice]
        for group in layout.groups
    ]
    return torch.cat(parts)
