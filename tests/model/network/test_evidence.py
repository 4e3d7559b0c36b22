from __future__ import annotations

import pytest
import torch

from model.distributions import BINS, EDGES, LikelihoodName
from model.network.evidence import EVIDENCE, evidence
from tests.model.network.made_outcomes import LIKELIHOODS, ROWS, TASKS, made


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_evidence_is_bounded_and_nothing_where_missing(likelihood: LikelihoodName) -> None:
    parameters, labels = made(likelihood, missing=0.5)
    found = evidence(likelihood, parameters, labels)
    assert found.shape == (ROWS, TASKS, EVIDENCE)
    assert found.isfinite().all()
    assert found.abs().max() <= 3
    missing = labels.isnan() if labels.ndim == 2 else labels[:, :, 0].isnan().any(dim=-1)
    assert (found[missing] == 0).all()


def test_what_was_expected_anyway_is_weak_evidence() -> None:
    sure = torch.full((1, 1, 1), 6.0)
    happened = evidence("bernoulli", sure, torch.ones(1, 1))[0, 0, 0]
    did_not = evidence("bernoulli", sure, torch.zeros(1, 1))[0, 0, 0]
    assert 0 < happened < 0.01
    assert did_not < -0.99


@pytest.mark.parametrize("likelihood", ["periods", "categorical"])
def test_periods_and_classes_say_nothing(likelihood: LikelihoodName) -> None:
    assert (evidence(likelihood, *made(likelihood)) == 0).all()


def test_what_happens_as_predicted_says_nothing_in_the_mean() -> None:
    """Each channel is zero over all outcomes by their probabilities."""
    logits = torch.randn(1, 1, BINS)
    outcomes = torch.tensor([*EDGES, torch.inf])
    hazard = logits.sigmoid().flatten()
    survival = torch.cat([torch.ones(1), (1 - hazard).cumprod(0)])
    probability = torch.cat([survival[:-1] * hazard, survival[-1:]])
    found = evidence("hazard", logits.expand(BINS + 1, 1, BINS), outcomes[:, None])[:, 0]
    torch.testing.assert_close(probability @ found, torch.zeros(EVIDENCE), atol=1e-5, rtol=0)


def test_sooner_than_expected_is_more() -> None:
    logits = torch.full((BINS, 1, BINS), -1.0)
    found = evidence("hazard", logits, torch.tensor(EDGES)[:, None])[:, 0, 1]
    assert found.tolist() == sorted(found.tolist(), reverse=True)
    assert found[0] > 0 > found[-1]


def test_a_number_says_how_far_it_is_from_what_was_expected() -> None:
    parameters = torch.tensor([[[1.0, 0.0]]])
    found = evidence("normal", parameters, torch.tensor([[3.0]]))
    assert found.tolist() == [[[0.0, 2.0]]]
