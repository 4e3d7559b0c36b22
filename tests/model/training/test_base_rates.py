from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.distributions import BINS, EDGES, LikelihoodName
from model.network.likelihoods import negative_log_likelihood
from model.training.base_rates import class_logits, hazard_logits, normal_parameters, rate_logit
from tests.model.network.made_outcomes import CLASSES, made

ROWS = 5000


def drawn(likelihood: LikelihoodName) -> tuple[Tensor, Tensor]:
    """(ROWS,) labels, some missing, and weights."""
    torch.manual_seed(0)
    labels = torch.cat([made(likelihood, missing=0.1)[1].flatten() for _ in range(ROWS // 80 + 1)])
    return labels[:ROWS], torch.rand(ROWS) + 0.5


def constant(likelihood: LikelihoodName, labels: Tensor, weights: Tensor) -> Tensor:
    match likelihood:
        case "categorical":
            return class_logits(labels, weights, len(CLASSES))
        case "hazard":
            return hazard_logits(labels, weights)
        case _:
            return normal_parameters(labels, weights)


@pytest.mark.parametrize("likelihood", ["categorical", "hazard", "normal"])
def test_no_other_constant_is_more_likely(likelihood: LikelihoodName) -> None:
    labels, weights = drawn(likelihood)
    best = constant(likelihood, labels, weights)

    def nats(parameters: Tensor) -> float:
        rows = parameters.expand(ROWS, 1, -1)
        nll = negative_log_likelihood(likelihood, rows, labels[:, None])[:, 0]
        known = ~nll.isnan()
        return float((nll * weights)[known].sum() / weights[known].sum())

    least = nats(best)
    for place in range(len(best)):
        for shift in (-0.1, 0.1):
            moved = best.clone()
            moved[place] += shift
            assert nats(moved) > least


def test_a_rate_is_a_weighted_one() -> None:
    happened = torch.tensor([1.0, 0.0, 0.0])
    logit = rate_logit(happened, torch.tensor([2.0, 1.0, 1.0]))
    assert float(torch.sigmoid(logit)) == pytest.approx(0.5)
    assert float(torch.sigmoid(rate_logit(happened, torch.zeros(3)))) == 0.5


def test_a_class_that_was_not_seen_has_a_chance() -> None:
    shares = class_logits(torch.tensor([0.0, 0.0, 1.0]), torch.ones(3), 3).softmax(0)
    assert shares.tolist() == pytest.approx([2.5 / 4.5, 1.5 / 4.5, 0.5 / 4.5])


def test_bins_that_nothing_came_in_have_a_chance() -> None:
    fractions = torch.tensor([EDGES[3]] * 5 + [torch.inf] * 5)
    chances = hazard_logits(fractions, torch.ones(10)).sigmoid()
    assert chances.shape == (BINS,)
    assert (chances > 0).all()
    assert int(chances.argmax()) == 3
    survival = float((1 - chances).prod())
    assert survival == pytest.approx(0.5, abs=0.1)


def test_what_always_comes_at_once_leaves_the_later_bins_defined() -> None:
    chances = hazard_logits(torch.full((50,), EDGES[0]), torch.ones(50)).sigmoid()
    assert chances[0] > 0.9
    assert chances.isfinite().all()
    assert (chances < 1).all()


def test_numbers_that_hardly_differ_have_a_bounded_density() -> None:
    mean, log_sigma = normal_parameters(torch.full((9,), 2.0), torch.ones(9)).tolist()
    assert mean == pytest.approx(2.0)
    assert log_sigma == pytest.approx(-2.5)
