from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from scipy.stats import bernoulli, nbinom, norm

from model.distributions import Layout, LikelihoodName
from model.network.likelihoods import EVIDENCE, evidence, negative_log_likelihood
from model.tasks import Count, Occurs, PeakPeriod, Sum, Task
from tests.model.network.made_networks import made_labels, tasks_of

ROWS, TASKS = 40, 2
LIKELIHOODS: dict[LikelihoodName, int] = {
    "bernoulli": 1,
    "hurdle_negative_binomial": 3,
    "hurdle_log_normal": 3,
    "periods": 7,
}


def made(likelihood: LikelihoodName, missing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    layout = Layout(
        [
            Task(name=f"t{n}", entity="user", target=target, horizon_days=30)
            for n in range(TASKS)
            for target in [
                {
                    "bernoulli": Occurs(event_type="buy"),
                    "hurdle_negative_binomial": Count(event_type="buy"),
                    "hurdle_log_normal": Sum(event_type="buy"),
                    "periods": PeakPeriod(event_type="buy", period="weekday"),
                }[likelihood]
            ]
        ]
    )
    (labels,) = made_labels(layout, ROWS, missing=missing)
    return torch.randn(ROWS, TASKS, LIKELIHOODS[likelihood]), labels


def test_bernoulli_is_scipys() -> None:
    parameters, labels = made("bernoulli")
    expected = -bernoulli.logpmf(labels.numpy(), expit(parameters[..., 0].double().numpy()))
    np.testing.assert_allclose(
        negative_log_likelihood("bernoulli", parameters, labels), expected, rtol=1e-4
    )


def test_hurdle_negative_binomial_is_scipys() -> None:
    parameters, labels = made("hurdle_negative_binomial")
    a, b, c = parameters.double().numpy().transpose(2, 0, 1)
    y, size, mean = labels.numpy(), np.exp(c), np.exp(b)
    beyond = nbinom.logpmf(np.maximum(y - 1, 0), size, size / (size + mean))
    expected = -np.where(y > 0, np.log(expit(a)) + beyond, np.log(expit(-a)))
    found = negative_log_likelihood("hurdle_negative_binomial", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_hurdle_log_normal_is_scipys() -> None:
    parameters, labels = made("hurdle_log_normal")
    parameters = parameters.clamp(-1.4, 1.4)  # within the bounds of the spread
    a, b, c = parameters.double().numpy().transpose(2, 0, 1)
    z = labels.numpy()
    some = np.isfinite(z)
    density = norm.logpdf(np.where(some, z, 0), b, np.exp(c))
    expected = -np.where(some, np.log(expit(a)) + density, np.log(expit(-a)))
    found = negative_log_likelihood("hurdle_log_normal", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_periods_are_a_cross_entropy_over_what_was_seen() -> None:
    parameters, labels = made("periods")
    exposure = torch.rand(ROWS, TASKS, 7)
    labels[:, :, 1] = exposure.log()
    logits = parameters.double().numpy() + exposure.log().double().numpy()
    expected = -(labels[:, :, 0].numpy() * log_softmax(logits, axis=-1)).sum(axis=-1)
    found = negative_log_likelihood("periods", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_period_that_was_not_seen_does_not_count() -> None:
    parameters, labels = made("periods")
    labels[:, :, 0, 3] = 0
    labels[:, :, 0] /= labels[:, :, 0].sum(dim=-1, keepdim=True)
    labels[:, :, 1, 3] = -30.0
    other = parameters.clone()
    other[..., 3] += 2.0
    torch.testing.assert_close(
        negative_log_likelihood("periods", parameters, labels),
        negative_log_likelihood("periods", other, labels),
    )


@pytest.mark.parametrize("likelihood", ["bernoulli", "hurdle_negative_binomial"])
def test_probabilities_of_all_outcomes_sum_to_one(likelihood: LikelihoodName) -> None:
    outcomes = torch.arange(2.0 if likelihood == "bernoulli" else 3000.0)
    for _ in range(5):
        parameters = torch.randn(LIKELIHOODS[likelihood]).expand(len(outcomes), 1, -1)
        nll = negative_log_likelihood(likelihood, parameters, outcomes[:, None])
        assert float((-nll).exp().sum()) == pytest.approx(1, abs=1e-3)


def test_the_density_of_amounts_integrates_to_one() -> None:
    grid = torch.linspace(-60, 60, 20_001)
    step = float(grid[1] - grid[0])
    for _ in range(5):
        parameters = torch.randn(3)
        nothing = negative_log_likelihood(
            "hurdle_log_normal", parameters.view(1, 1, 3), torch.tensor([[-torch.inf]])
        )
        something = negative_log_likelihood(
            "hurdle_log_normal", parameters.expand(len(grid), 1, -1), grid[:, None]
        )
        total = (-nothing).exp().sum() + (-something).exp().sum() * step
        assert float(total) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_missing_labels_give_nan_and_no_gradient(likelihood: LikelihoodName) -> None:
    parameters, labels = made(likelihood, missing=0.5)
    parameters.requires_grad_()
    missing = labels.isnan() if labels.ndim == 2 else labels[:, :, 0].isnan().any(dim=-1)
    nll = negative_log_likelihood(likelihood, parameters, labels)
    assert torch.equal(nll.isnan(), missing)
    torch.where(missing, 0.0, nll).sum().backward()
    assert parameters.grad is not None
    assert (parameters.grad[missing] == 0).all()
    assert parameters.grad.isfinite().all()
    assert (parameters.grad[~missing] != 0).any()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("size", [10.0, 1e3, 1e6])
def test_wild_parameters_give_a_finite_loss(likelihood: LikelihoodName, size: float) -> None:
    parameters, labels = made(likelihood)
    parameters = (parameters * size).requires_grad_()
    nll = negative_log_likelihood(likelihood, parameters, labels)
    assert nll.isfinite().all()
    nll.sum().backward()
    assert parameters.grad is not None
    assert parameters.grad.isfinite().all()


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


def test_all_kinds_are_here() -> None:
    assert {group.likelihood for group in Layout(tasks_of("user")).groups} == set(LIKELIHOODS)
