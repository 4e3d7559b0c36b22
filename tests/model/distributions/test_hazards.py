from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from model.distributions import BINS, EDGES
from model.distributions.hazards import probability_within, quantile, restricted_mean

some_logits = st.lists(st.floats(-6, 3), min_size=BINS, max_size=BINS).map(
    lambda row: np.array([row])
)


@given(some_logits)
def test_survival_at_the_edges_is_a_product_of_chances(logits: np.ndarray) -> None:
    left = np.cumprod(1 - expit(logits[0]))
    found = [1 - float(probability_within(logits, edge)[0]) for edge in EDGES]
    np.testing.assert_allclose(found, left, rtol=1e-9, atol=1e-12)
    assert probability_within(logits, 0.0)[0] == 0


@given(some_logits)
def test_survival_never_rises(logits: np.ndarray) -> None:
    within = [float(probability_within(logits, at)[0]) for at in np.linspace(0, 1, 200)]
    assert all(later >= earlier for earlier, later in pairwise(within))


@given(some_logits)
def test_the_restricted_mean_is_the_area_below_the_survival(logits: np.ndarray) -> None:
    grid = np.linspace(0, 1, 20_001)
    survival = np.array([1 - float(probability_within(logits, at)[0]) for at in grid[::20]])
    area = np.trapezoid(survival, grid[::20])
    assert float(restricted_mean(logits)[0]) == pytest.approx(area, abs=1e-3)


@given(some_logits, st.floats(0.01, 0.99))
def test_a_quantile_is_where_the_probability_is_reached(logits: np.ndarray, level: float) -> None:
    (at,) = quantile(logits, level)
    if np.isnan(at):
        assert probability_within(logits)[0] < level
    else:
        assert 0 < at <= 1
        assert probability_within(logits, float(at))[0] == pytest.approx(level, abs=1e-9)


def test_rows_do_not_mix() -> None:
    logits = np.random.default_rng(0).normal(size=(6, BINS))
    for function in (probability_within, restricted_mean, lambda rows: quantile(rows, 0.3)):
        together = function(logits)
        alone = [float(function(logits[[row]])[0]) for row in range(6)]
        np.testing.assert_allclose(together, alone)


@pytest.mark.parametrize("size", [-1e4, 1e4])
def test_what_is_certain_is_told_without_overflow(size: float) -> None:
    logits = np.full((1, BINS), size)
    assert probability_within(logits)[0] == (0 if size < 0 else 1)
    assert restricted_mean(logits)[0] == pytest.approx(1 if size < 0 else 0, abs=1e-3)
    assert np.isnan(quantile(logits, 0.5)[0]) == (size < 0)
