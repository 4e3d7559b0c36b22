from __future__ import annotations

import numpy as np
import pytest

from model.evaluation.drift import (
    BINS,
    FeatureSummary,
    stability_index,
    summarise,
    summarise_category,
    summarise_number,
)

RNG = np.random.default_rng(0)
VALUES = RNG.gamma(2.0, size=5000)
ALIKE = np.ones(5000)


def test_bins_of_a_number_have_the_same_weight() -> None:
    summary = summarise_number(VALUES, ALIKE)
    assert summary.edges is not None
    assert len(summary.edges) == BINS - 1
    np.testing.assert_allclose(summary.shares[:-1], 1 / BINS, atol=1e-3)
    assert summary.shares[-1] == 0


def test_weights_move_the_bins() -> None:
    heavy = summarise_number(VALUES, np.where(VALUES > 2, 10.0, 1.0))
    light = summarise_number(VALUES, ALIKE)
    assert heavy.edges is not None
    assert light.edges is not None
    assert heavy.edges[0] > light.edges[0]
    assert sum(heavy.shares) == pytest.approx(1)


def test_values_that_many_rows_have_are_one_bin() -> None:
    summary = summarise_number(np.array([0.0] * 95 + [1.0, 2.0, 3.0, 4.0, 5.0]), np.ones(100))
    assert summary.edges == (0.0,)
    assert summary.shares == pytest.approx((0.95, 0.05, 0.0))
    constant = summarise_number(np.full(10, 3.0), np.ones(10))
    assert stability_index(constant, np.full(7, 3.0)) == 0
    assert stability_index(constant, np.full(7, 4.0)) > 1


def test_the_index_is_small_for_the_same_and_large_for_another_distribution() -> None:
    summary = summarise_number(VALUES, ALIKE)
    assert stability_index(summary, RNG.gamma(2.0, size=5000)) < 0.02
    assert 0.02 < stability_index(summary, RNG.gamma(2.5, size=5000)) < 0.25
    assert stability_index(summary, RNG.gamma(6.0, size=5000)) > 0.5


def test_the_index_by_hand() -> None:
    summary = FeatureSummary(edges=(1.0,), shares=(0.5, 0.5, 0.0))
    now = np.array([0.0, 1.0, 1.0, 2.0])  # at the edge is below it
    expected = 0.25 * np.log(1.5) - 0.25 * np.log(0.5)
    assert stability_index(summary, now) == pytest.approx(expected)


def test_missing_numbers_have_a_bin_of_their_own() -> None:
    some = np.where(np.arange(100) % 4 == 0, np.nan, np.arange(100.0))
    summary = summarise_number(some, np.ones(100))
    assert summary.shares[-1] == pytest.approx(0.25)
    assert stability_index(summary, some) == pytest.approx(0, abs=1e-9)
    assert stability_index(summary, np.arange(100.0)) > 1
    nothing = summarise_number(np.full(5, np.nan), np.ones(5))
    assert (nothing.edges, nothing.shares) == ((), (0.0, 1.0))
    assert FeatureSummary.model_validate_json(nothing.model_dump_json()) == nothing


def test_a_category_has_a_bin_for_each_value_and_one_for_unknown_ones() -> None:
    summary = summarise_category(np.array([1, 1, 2, 0]), 3, np.ones(4))
    assert summary.shares == pytest.approx((0.25, 0.5, 0.25, 0.0))
    assert stability_index(summary, np.array([1, 1, 2, 0])) == pytest.approx(0, abs=1e-2)
    assert stability_index(summary, np.array([3, 3, 3, 3])) > 1


def test_all_features_by_name() -> None:
    numbers = np.stack([VALUES[:50], VALUES[50:100]], axis=1)
    codes = RNG.integers(0, 3, (50, 1))
    found = summarise(["age", "spend"], numbers, {"country": 2}, codes, np.ones(50))
    assert set(found) == {"age", "spend", "country"}
    assert found["country"].edges is None
