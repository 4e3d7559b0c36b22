from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.metrics import (
    auroc,
    average_precision,
    calibration_error,
    circular_error,
    concordance,
    reliability,
    resampled,
    skill,
    skill_interval,
    top_accuracy,
)

rows = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.integers(1, 3)),
    min_size=2,
    max_size=30,
)
Row = tuple[float, bool, int]


def columns(table: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    probability, happened, weights = zip(*table, strict=True)
    return np.array(probability), np.array(happened), np.array(weights, dtype=float)


@given(rows)
def test_auroc_is_the_share_of_pairs_in_order(table: list[Row]) -> None:
    wins = total = 0.0
    for p, positive, v in table:
        for q, other, w in table:
            if positive and not other:
                total += v * w
                wins += v * w * (1.0 if p > q else 0.5 if p == q else 0.0)
    found = auroc(*columns(table))
    assert found == pytest.approx(wins / total) if total else np.isnan(found)


def test_average_precision_by_hand() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6])
    happened = np.array([True, False, True, False])
    assert average_precision(probability, happened, np.ones(4)) == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(average_precision(probability, np.zeros(4, dtype=bool), np.ones(4)))


METRICS = {
    "auroc": auroc,
    "average_precision": average_precision,
    "calibration_error": calibration_error,
}


@pytest.mark.parametrize("name", METRICS)
@given(table=rows, seed=st.integers(0, 100))
def test_neither_order_nor_ties_matter(name: str, table: list[Row], seed: int) -> None:
    shuffled = [table[n] for n in np.random.default_rng(seed).permutation(len(table))]
    np.testing.assert_allclose(METRICS[name](*columns(table)), METRICS[name](*columns(shuffled)))


@pytest.mark.parametrize("name", METRICS)
@given(table=rows)
def test_a_weight_of_two_is_two_rows(name: str, table: list[Row]) -> None:
    repeated = [(p, happened, 1) for p, happened, weight in table for _ in range(weight)]
    np.testing.assert_allclose(METRICS[name](*columns(table)), METRICS[name](*columns(repeated)))


def test_who_says_the_same_of_everybody_ranks_as_chance() -> None:
    happened = np.arange(100) < 20  # those that happened stand first
    constant = np.full(100, 0.2)
    assert auroc(constant, happened, np.ones(100)) == 0.5
    assert average_precision(constant, happened, np.ones(100)) == pytest.approx(0.2)
    assert calibration_error(constant, happened, np.ones(100)) == pytest.approx(0)


@given(rows)
def test_reliability_is_of_all_rows(table: list[Row]) -> None:
    probability, happened, weights = columns(table)
    bins = reliability(probability, happened, weights)
    share = np.array([row["share"] for row in bins])
    assert share.sum() == pytest.approx(1)
    predicted = np.array([row["predicted"] for row in bins])
    assert (np.diff(predicted) > 0).all()
    assert share @ predicted == pytest.approx(np.average(probability, weights=weights))
    observed = np.array([row["observed"] for row in bins])
    assert share @ observed == pytest.approx(np.average(happened, weights=weights))


def test_true_probabilities_are_calibrated_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    happened = rng.random(20_000) < probability
    assert calibration_error(probability, happened, np.ones(20_000)) < 0.015
    assert calibration_error(probability**2, happened, np.ones(20_000)) > 0.1
    assert len(reliability(probability, happened, np.ones(20_000))) == 10


def test_december_is_next_to_january() -> None:
    assert circular_error(np.array([11, 0, 3]), np.array([0, 11, 3]), 12) == pytest.approx(2 / 3)
    assert circular_error(np.array([0]), np.array([6]), 12) == 6


def test_skill_is_the_share_of_the_climatologys_loss_that_is_gone() -> None:
    base, weights = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    assert skill(base, base, weights) == 0
    assert skill(base / 2, base, weights) == 0.5
    assert skill(np.array([1.0, 0.0]), base, weights) == pytest.approx(6 / 7)


def test_the_interval_of_the_skill_covers_it() -> None:
    rng = np.random.default_rng(0)
    base = rng.gamma(2, 1, 500)
    nll = base * rng.uniform(0.5, 1.1, 500)
    counts = resampled(500, 200, rng)
    low, high = skill_interval(nll, base, np.ones(500), counts)
    assert low < skill(nll, base, np.ones(500)) < high
    assert high - low < 0.1
    assert skill_interval(base, base, np.ones(500), counts) == pytest.approx((0, 0), abs=1e-6)


times = st.sampled_from([1.0, 2.0, 3.0, np.inf])


@given(st.lists(st.tuples(times, times, st.integers(1, 3)), min_size=2, max_size=20))
def test_concordance_is_the_share_of_pairs_whose_order_is_known(
    table: list[tuple[float, float, int]],
) -> None:
    right = total = 0.0
    for expected, actual, v in table:
        for other_expected, other_actual, w in table:
            if actual < other_actual:
                total += v * w
                tie = 0.5 if expected == other_expected else 0.0
                right += v * w * (1.0 if expected < other_expected else tie)
    expected, actual, weights = (
        np.array(column, dtype=float) for column in zip(*table, strict=True)
    )
    found = concordance(expected, actual, weights)
    assert found == pytest.approx(right / total) if total else np.isnan(found)


def test_concordance_of_many_rows_looks_at_some() -> None:
    rng = np.random.default_rng(0)
    expected = rng.random(3000)
    actual = expected + rng.random(3000)
    whole = concordance(expected, actual, np.ones(3000))
    some = concordance(expected, actual, np.ones(3000), most_rows=500)
    assert some == pytest.approx(whole, abs=0.05)
    assert 0.6 < whole < 0.95


def test_the_actual_class_among_the_best() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])
    actual, weights = np.array([0, 1, 2]), np.array([1.0, 1.0, 2.0])
    assert top_accuracy(probabilities, actual, weights, 1) == pytest.approx(1 / 4)
    assert top_accuracy(probabilities, actual, weights, 2) == pytest.approx(2 / 4)
    assert top_accuracy(probabilities, actual, weights, 9) == 1
