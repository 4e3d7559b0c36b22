from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from scipy.stats import bernoulli, nbinom, norm

from model.distributions import BINS, EDGES, LikelihoodName
from model.network.likelihoods import negative_log_likelihood
from tests.model.network.made_networks import layout_of
from tests.model.network.made_outcomes import LIKELIHOODS, ROWS, TASKS, made


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


def test_categorical_is_a_cross_entropy() -> None:
    parameters, labels = made("categorical")
    log_shares = log_softmax(parameters.double().numpy(), axis=-1)
    expected = -np.take_along_axis(log_shares, labels.long().numpy()[..., None], axis=-1)[..., 0]
    found = negative_log_likelihood("categorical", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_normal_is_scipys() -> None:
    parameters, labels = made("normal")
    parameters = parameters.clamp(-1.4, 1.4)
    mean, log_sigma = parameters.double().numpy().transpose(2, 0, 1)
    expected = -norm.logpdf(labels.numpy(), mean, np.exp(log_sigma))
    found = negative_log_likelihood("normal", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_hazard_is_a_chain_of_chances() -> None:
    parameters, labels = made("hazard")
    hazard = expit(parameters.double().numpy())
    expected = np.zeros(labels.shape)
    for row, task in np.ndindex(*labels.shape):
        fraction = float(labels[row, task])
        bin_of = next((j for j, edge in enumerate(EDGES) if fraction <= edge), BINS)
        chance = np.prod(1 - hazard[row, task, :bin_of])
        if bin_of < BINS:
            chance *= hazard[row, task, bin_of]
        expected[row, task] = -np.log(chance)
    found = negative_log_likelihood("hazard", parameters, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_an_event_at_an_edge_lies_in_the_bin_that_it_ends() -> None:
    logits = torch.linspace(-3, 3, BINS)
    at = torch.tensor(EDGES)
    after = torch.nextafter(at, torch.tensor(2.0))
    for fractions, bins in ((at * 0.999, range(BINS)), (at, range(BINS)), (after, range(1, 11))):
        found = negative_log_likelihood("hazard", logits.expand(BINS, 1, BINS), fractions[:, None])
        chances = [
            float(torch.sigmoid(-logits[:bin_of]).prod())
            * (float(torch.sigmoid(logits[bin_of])) if bin_of < BINS else 1.0)
            for bin_of in bins
        ]
        torch.testing.assert_close(found[:, 0], -torch.tensor(chances).log())


OUTCOMES: dict[LikelihoodName, torch.Tensor] = {
    "bernoulli": torch.arange(2.0),
    "hurdle_negative_binomial": torch.arange(3000.0),
    "categorical": torch.arange(3.0),
    "hazard": torch.tensor([*EDGES, torch.inf]),
}


@pytest.mark.parametrize("likelihood", OUTCOMES)
def test_probabilities_of_all_outcomes_sum_to_one(likelihood: LikelihoodName) -> None:
    outcomes = OUTCOMES[likelihood]
    for _ in range(5):
        parameters = made(likelihood)[0][0, 0].expand(len(outcomes), 1, -1)
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


def test_all_kinds_are_here() -> None:
    assert {group.likelihood for group in layout_of("item").groups} == set(LIKELIHOODS)
