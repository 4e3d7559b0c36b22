"""Calibration of the network's parameters on validation rows.

Each parameter p of a task becomes slope * p + shift: for probabilities this is Platt's scaling,
for amounts and numbers it moves and scales the location and the spread. The periods, classes or
bins of a task have one slope together, a temperature; periods have no shift. Fitted by maximum
likelihood with a pull towards the identity, so that few rows change little.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from model.distributions import Layout, LikelihoodName
from model.network.likelihoods import nll_of_all

ONE_FOR_ALL: frozenset[LikelihoodName] = frozenset({"periods", "categorical", "hazard"})
"""Likelihoods whose parameters have one value together."""
_SPREAD_LAST: frozenset[LikelihoodName] = frozenset(
    {"hurdle_log_normal", "hurdle_negative_binomial", "normal"}
)
"""Likelihoods whose last parameter is a spread."""
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
    slope = torch.ones(layout.columns, requires_grad=True)
    shift = torch.zeros(layout.columns, requires_grad=True)
    moves = may_shift(layout)

    def calibrated() -> Tensor:
        return marginals_RO * one_of_task(layout, slope) + shift * moves

    def away() -> Tensor:
        return (slope - 1).square() + shift.square()

    make_likely(layout, [slope, shift], calibrated, away, labels, weights_R, _PULL)
    return one_of_task(layout, slope).detach(), (shift * moves).detach()


def fit_levels(
    layout: Layout,
    marginals_RO: Tensor,
    slope_O: Tensor,
    shift_O: Tensor,
    labels: list[Tensor],
    weights_R: Tensor,
) -> Tensor:
    """The (columns,) shifts that, beside given slopes, make some rows most likely.

    Without evidence they leave the mean of what is said where it was. The shifts of periods and
    spreads stay as given: rows that a network has learned from look narrower than others.
    """
    is_level_O = may_shift(layout) * ~spreads(layout)
    mean_O = (marginals_RO * weights_R[:, None]).sum(dim=0) / weights_R.sum()
    kept_O = torch.where(is_level_O > 0, mean_O * (1 - slope_O), shift_O)
    move_O = torch.zeros(layout.columns, requires_grad=True)

    def levelled() -> Tensor:
        return marginals_RO * slope_O + kept_O + move_O * is_level_O

    make_likely(layout, [move_O], levelled, move_O.square, labels, weights_R, _PULL)
    return kept_O + (move_O * is_level_O).detach()


def make_likely(
    layout: Layout,
    free: list[Tensor],
    parameters: Callable[[], Tensor],
    away: Callable[[], Tensor],
    labels: list[Tensor],
    weights_R: Tensor,
    pull: float,
    steps: int = 50,
) -> None:
    """Move some numbers in place to where labels are most likely, with a pull to where they begin.

    Args:
        layout: the tasks.
        free: the numbers.
        parameters: (R, columns) that they lead to.
        away: (columns,) how far they are from where they are pulled to, squared.
        labels: per group, see `negative_log_likelihood`.
        weights_R: of the rows.
        pull: how many rows' worth of evidence it has.
        steps: of L-BFGS, at most.
    """
    task_of_column = torch.tensor(layout.task_of_column)
    optimizer = torch.optim.LBFGS(free, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        nll = nll_of_all(layout, parameters(), labels)
        known = ~nll.isnan()
        rows = known.sum(dim=0).clamp_min(1)
        mean = torch.where(known, nll * weights_R[:, None], 0.0).sum(dim=0) / rows
        loss = mean.sum() + ((pull / rows)[task_of_column] * away()).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def may_shift(layout: Layout) -> Tensor:
    """(columns,) 1, but 0 for periods: a shift would be the season of the validation rows."""
    moves = torch.ones(layout.columns)
    for group in layout.groups:
        if group.likelihood == "periods":
            moves[group.column_slice] = 0.0
    return moves


def spreads(layout: Layout) -> Tensor:
    """(columns,) of bool, whether a column says how far amounts, counts or numbers spread."""
    found = torch.zeros(layout.columns, dtype=torch.bool)
    for group in layout.groups:
        if group.likelihood in _SPREAD_LAST:
            found[group.column_slice].view(-1, group.parameters)[:, -1] = True
    return found


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
