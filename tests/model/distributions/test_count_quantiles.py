from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from model.distributions.count_quantiles import MAX_MEAN, negative_binomial_quantile


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6])
def test_counts_are_those_of_scipy(level: float) -> None:
    rng = np.random.default_rng(0)
    size = np.exp(rng.uniform(-4, 6, 2000))
    mean = np.exp(rng.uniform(-8, 9, 2000))
    assert (mean > MAX_MEAN).any()
    levels = np.full(2000, level)
    found = negative_binomial_quantile(levels, size, mean)
    expected = np.maximum(nbinom.ppf(levels, size, size / (size + mean)), 0)
    assert (found == expected).mean() > 0.99
    # Where a cumulative probability meets the level but for rounding, they may be one apart.
    np.testing.assert_allclose(found, expected, atol=1)


def test_the_count_is_the_least_that_reaches_the_level() -> None:
    size, mean = np.full(3, 2.0), np.full(3, 3.0)
    levels = nbinom.cdf([0, 2, 5], 2, 0.4) - 1e-9
    assert negative_binomial_quantile(levels, size, mean).tolist() == [0, 2, 5]
    assert negative_binomial_quantile(levels + 2e-9, size, mean).tolist() == [1, 3, 6]


def test_without_a_compiler_nothing_is_otherwise() -> None:
    levels, size = np.array([0.2, 0.7, 0.9]), np.array([0.5, 1.0, 20.0])
    mean = np.array([0.1, 5.0, 50.0])
    with_compiler = negative_binomial_quantile(levels, size, mean)
    without = negative_binomial_quantile(levels, size, mean, use_compiler=False)
    assert with_compiler.tolist() == without.tolist()
