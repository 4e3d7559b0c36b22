"""The same numbers as SciPy's own distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import nbinom, norm

from model.distributions import negative_binomial as ours

SIZE, MEAN = (
    grid.ravel()
    for grid in np.meshgrid(np.exp(np.linspace(-4, 6, 9)), np.exp(np.linspace(-8, 9, 9)))
)
SUCCESS = SIZE / (SIZE + MEAN)


@pytest.mark.parametrize("count", [-2.0, -1.0, 0.0, 1.0, 3.0, 40.0, math.inf])
def test_probabilities_of_less_and_more(count: float) -> None:
    assert ours.below(count, SIZE, SUCCESS) == pytest.approx(nbinom.cdf(count, SIZE, SUCCESS))
    assert ours.beyond(count, SIZE, SUCCESS) == pytest.approx(nbinom.sf(count, SIZE, SUCCESS))


@pytest.mark.parametrize("count", [0.0, 1.0, 3.0, 40.0])
def test_log_probability_of_a_count(count: float) -> None:
    assert ours.log_mass(count, SIZE, SUCCESS) == pytest.approx(
        nbinom.logpmf(count, SIZE, SUCCESS), abs=1e-9
    )


@pytest.mark.parametrize("level", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_quantiles(level: float) -> None:
    expected = np.maximum(nbinom.ppf(level, SIZE, SUCCESS), 0)
    assert ours.quantile(level, SIZE, SUCCESS).tolist() == expected.tolist()


def test_normal_density() -> None:
    location, deviation = np.array([-1.0, 0.0, 30.0]), np.array([0.1, 1.0, 7.0])
    assert ours.log_normal_density(2.5, location, deviation) == pytest.approx(
        norm.logpdf(2.5, location, deviation)
    )
