"""The NumPy likelihoods say what the torch ones say, and missing labels stay missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.distributions import LikelihoodName
from model.evaluation.likelihoods import negative_log_likelihood
from model.network.likelihoods import negative_log_likelihood as in_torch

ROWS = 200
WIDTHS: dict[LikelihoodName, int] = {
    "bernoulli": 1,
    "categorical": 4,
    "hazard": 10,
    "hurdle_log_normal": 3,
    "hurdle_negative_binomial": 3,
    "normal": 2,
    "periods": 7,
}


def labels_of(likelihood: LikelihoodName, rng: np.random.Generator) -> NDArray[np.float32]:
    nothing = rng.random(ROWS) < 0.4
    match likelihood:
        case "bernoulli":
            labels = nothing.astype(float)
        case "categorical":
            labels = rng.integers(0, 4, ROWS).astype(float)
        case "hazard":
            labels = np.where(nothing, np.inf, rng.choice([0.02, 0.1, 0.5, 1.0, 0.3333], ROWS))
        case "hurdle_log_normal":
            labels = np.where(nothing, -np.inf, rng.normal(size=ROWS))
        case "hurdle_negative_binomial":
            labels = np.where(nothing, 0, rng.integers(1, 40, ROWS)).astype(float)
        case "normal":
            labels = rng.normal(size=ROWS)
        case "periods":
            exposure = np.log(rng.choice([1.0, 0.5, 1e-30], (ROWS, 7)))
            shares = rng.dirichlet(np.ones(7), ROWS) * (exposure > -1)
            shares /= shares.sum(axis=1, keepdims=True)
            shares[:5] = np.nan
            return np.stack([shares, exposure], axis=1).astype(np.float32)
    labels[:5] = np.nan
    return labels.astype(np.float32)


@pytest.mark.parametrize("likelihood", WIDTHS)
def test_they_are_those_that_the_network_was_trained_with(likelihood: LikelihoodName) -> None:
    rng = np.random.default_rng(1)
    parameters = rng.normal(scale=2, size=(ROWS, WIDTHS[likelihood]))
    labels = labels_of(likelihood, rng)
    found = negative_log_likelihood(likelihood, parameters, labels)
    expected = in_torch(
        likelihood,
        torch.from_numpy(parameters).float()[:, None],
        torch.from_numpy(labels)[:, None],
    )[:, 0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.isnan(found).sum() == np.isnan(expected).sum() >= 5
