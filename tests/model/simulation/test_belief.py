from __future__ import annotations

import numpy as np

from model.simulation import SimulatedShop
from model.simulation.belief import ACTIVE, GONE, belief_before

DAY = 250


def test_the_belief_agrees_with_what_was_hidden(shop: SimulatedShop) -> None:
    belief_UM = belief_before(shop.chronicle, DAY)
    state = shop.chronicle.state_before(DAY)
    np.testing.assert_allclose(belief_UM.sum(axis=1), 1)
    gone = state.left_day_R <= DAY
    for mood, hidden in ((GONE, gone), (ACTIVE, state.active_R & ~gone)):
        believed = belief_UM[:, mood]
        spread = np.sqrt((believed * (1 - believed)).sum())
        assert abs(hidden.sum() - believed.sum()) < 4 * spread


def test_who_came_yesterday_is_hardly_gone(shop: SimulatedShop) -> None:
    belief_UM = belief_before(shop.chronicle, DAY)
    columns = shop.chronicle.columns
    yesterday = columns.time_us // 86_400_000_000 == DAY - 1
    assert belief_UM[np.unique(columns.user[yesterday]), GONE].max() < 1e-9


def test_who_has_not_joined_is_quiet(shop: SimulatedShop) -> None:
    belief_UM = belief_before(shop.chronicle, DAY)
    unborn = shop.chronicle.world.people.join_day_U >= DAY
    np.testing.assert_array_equal(belief_UM[unborn], [[1.0, 0.0, 0.0]] * unborn.sum())
