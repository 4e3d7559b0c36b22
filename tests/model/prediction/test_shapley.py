from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prediction.shapley import coalitions, sampled_orders, shares


def of_game(weights: np.ndarray, pairs: int, bonus: float = 0.0) -> np.ndarray:
    """Shares in a game where players add their weights, and the first two together a bonus."""
    orders = sampled_orders(len(weights), pairs)
    joined = coalitions(orders)
    both = joined[..., 0] & joined[..., 1] if len(weights) > 1 else np.zeros(joined.shape[:2], bool)
    values = joined @ weights + bonus * both
    return shares(orders, values[..., None])[:, 0]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9), st.integers(1, 5), st.floats(-3, 3))
def test_shares_sum_to_the_whole_difference(weights: list[float], pairs: int, bonus: float) -> None:
    whole = sum(weights) + (bonus if len(weights) > 1 else 0)
    assert of_game(np.array(weights), pairs, bonus).sum() == pytest.approx(whole, abs=1e-9)


def test_who_adds_the_same_whatever_went_before_has_just_that() -> None:
    weights = np.array([1.0, -2.0, 0.0, 3.5])
    np.testing.assert_allclose(of_game(weights, 2), weights)


def test_what_two_do_together_is_shared_between_them() -> None:
    np.testing.assert_allclose(of_game(np.zeros(4), 3, bonus=2.0), [1, 1, 0, 0])


def test_orders_are_permutations_beside_their_reverse_and_always_the_same() -> None:
    orders = sampled_orders(6, 4)
    assert orders.shape == (8, 6)
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert (orders[::2] == orders[1::2, ::-1]).all()
    assert (orders == sampled_orders(6, 4)).all()


def test_coalitions_begin_with_nobody_and_end_with_everybody() -> None:
    joined = coalitions(sampled_orders(5, 2))
    assert not joined[:, 0].any()
    assert joined[:, -1].all()
    assert (joined.sum(axis=2) == np.arange(6)).all()
