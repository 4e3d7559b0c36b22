"""Logistic regressions by Newton's method find the weights that made the outcomes."""

from __future__ import annotations

import torch
from torch.nn import functional

from model.training.linear_chances import fit_chances

ROWS, TASKS, RIDGE = 4000, 6, 1e-4


def test_the_weights_are_the_best_ones() -> None:
    inputs = torch.randn(ROWS, 2, 3)
    kinds = torch.tensor([0, 1, 0, 0, 1, 0])
    inputs_RTF, features_TF = inputs[:, kinds], kinds[:, None].expand(-1, 3)
    true = torch.randn(TASKS, 4)
    logits = (inputs_RTF * true[:, :-1]).sum(dim=-1) + true[:, -1]
    came = torch.bernoulli(torch.sigmoid(logits))
    came[torch.rand(ROWS, TASKS) < 0.2] = torch.nan
    weights = torch.rand(ROWS) + 0.5
    found = fit_chances(inputs_RTF, features_TF, came, weights, torch.zeros(TASKS), RIDGE)
    assert (found - true).abs().max() < 0.35

    def loss(some: torch.Tensor) -> torch.Tensor:
        logits = (inputs_RTF * some[:, :-1]).sum(dim=-1) + some[:, -1]
        nll = functional.binary_cross_entropy_with_logits(
            logits, came.nan_to_num(0.0), reduction="none"
        )
        seen = torch.where(came.isnan(), 0.0, nll * weights[:, None])
        return seen.sum(dim=0)

    best = loss(found)
    for _ in range(20):
        assert (loss(found + 0.05 * torch.randn_like(found)) > best).all()


def test_what_is_surely_told_apart_has_bounded_weights() -> None:
    inputs = torch.linspace(-1, 1, 100)[:, None, None]
    came = (inputs[:, :, 0] > 0).float()
    features = torch.zeros(1, 1, dtype=torch.long)
    found = fit_chances(inputs, features, came, torch.ones(100), torch.zeros(1), RIDGE)
    assert torch.isfinite(found).all()
    assert 5 < float(found[0, 0]) < 100


def test_who_has_no_labels_stays_where_they_start() -> None:
    inputs = torch.randn(50, 1, 2)
    missing = torch.full((50, 1), torch.nan)
    features = torch.zeros(1, 2, dtype=torch.long)
    found = fit_chances(inputs, features, missing, torch.ones(50), torch.tensor([0.7]), RIDGE)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 0.7]]))
