"""What is served of tasks fits together, whatever the network says of each."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.distributions import Consistency, Distribution, Layout
from model.tasks import Condition, Count, Next, Occurs, Sum, Target, Task, TimeTo

ROWS = 400
BUY, CART = "purchase", "cart"
SHOES = Condition(attribute="item.category", value="shoes")
RED = Condition(attribute="item.color", value="red")


def task(name: str, target: Target, days: float, start: float = 0) -> Task:
    return Task(name=name, entity="user", target=target, horizon_days=days, start_days=start)


TASKS = [
    task("buys_7d", Occurs(event_type=BUY), 7),
    task("buys_14d", Occurs(event_type=BUY), 14),
    task("buys_30d", Occurs(event_type=BUY), 30),
    task("buys_second_week", Occurs(event_type=BUY), 7, start=7),
    task("shoes_14d", Occurs(event_type=BUY, where=(SHOES,)), 14),
    task("red_shoes_14d", Occurs(event_type=BUY, where=(RED, SHOES)), 14),
    task("orders_30d", Count(event_type=BUY, of="days"), 30),
    task("units_30d", Count(event_type=BUY, of="units"), 30),
    task("soon_30d", TimeTo(event_type=BUY), 30),
    task("spend_7d", Sum(event_type=BUY), 7),
    task("spend_30d", Sum(event_type=BUY), 30),
    task("carts_14d", Occurs(event_type=CART), 14),
    task("carts_30d", Occurs(event_type=CART), 30),
    task("next", Next(), 30),
]
LAYOUT = Layout(TASKS, {"next": ("a", "b", "c")})
ORDER = [
    ("buys_7d", "buys_14d"),
    ("buys_14d", "buys_30d"),
    ("buys_second_week", "buys_14d"),
    ("red_shoes_14d", "shoes_14d"),
    ("shoes_14d", "buys_14d"),
    ("units_30d", "buys_30d"),
    ("spend_7d", "buys_7d"),
    ("spend_30d", "buys_30d"),
    ("carts_14d", "carts_30d"),
]


def parameters(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(ROWS, LAYOUT.columns)).astype(np.float32) * 2


def chance(flat: NDArray[np.float32], name: str) -> NDArray[np.float64]:
    of_task = flat[:, LAYOUT.columns_of(name)].astype(np.float64)
    return Distribution(LAYOUT.tasks[LAYOUT.position(name)], of_task).probability_any


@pytest.mark.parametrize("seed", range(3))
def test_chances_are_in_the_order_of_logic(seed: int) -> None:
    served = Consistency(LAYOUT)(parameters(seed))
    for lower, upper in ORDER:
        assert (chance(served, lower) <= chance(served, upper)).all(), (lower, upper)


def test_tasks_that_ask_for_the_same_events_have_one_chance() -> None:
    served = Consistency(LAYOUT)(parameters())
    assert (chance(served, "orders_30d") == chance(served, "buys_30d")).all()
    soon = chance(served, "soon_30d")
    np.testing.assert_allclose(soon, chance(served, "buys_30d"), atol=1e-6)


def test_totals_are_in_order_where_no_event_takes_away() -> None:
    plain, least = Consistency(LAYOUT), {"spend_7d": 0.0, "spend_30d": 0.0}
    wrong = chance(plain(parameters()), "spend_7d") > chance(plain(parameters()), "spend_30d")
    assert wrong.any(), "a return may take away what was spent before"
    served = Consistency(LAYOUT, least)(parameters())
    assert (chance(served, "spend_7d") <= chance(served, "spend_30d")).all()


def test_a_total_of_events_that_all_count_is_above_zero_with_the_first() -> None:
    served = Consistency(LAYOUT, {"spend_30d": 0.5, "units_30d": 1.0})(parameters())
    for name in ("spend_30d", "units_30d"):
        assert (chance(served, name) == chance(served, "buys_30d")).all()


def test_a_funnel_that_the_log_shows_holds_at_every_horizon() -> None:
    served = Consistency(LAYOUT, implied=[("buys_14d", "carts_14d")])(parameters())
    for lower in ("buys_7d", "buys_14d", "shoes_14d", "spend_7d"):
        for upper in ("carts_14d", "carts_30d"):
            assert (chance(served, lower) <= chance(served, upper)).all()


def test_what_fits_together_already_stays_as_it_is() -> None:
    once = Consistency(LAYOUT)(parameters())
    twice = Consistency(LAYOUT)(once)
    np.testing.assert_allclose(twice, once, atol=1e-4)


def test_nothing_but_chances_changes() -> None:
    before = parameters()
    after = Consistency(LAYOUT)(before)
    chances = {LAYOUT.columns_of(t.name).start for t in TASKS if t.name not in {"next", "soon_30d"}}
    soon = LAYOUT.columns_of("soon_30d")
    others = [
        c
        for c in range(LAYOUT.columns)
        if c not in chances and c not in range(soon.start, soon.stop)
    ]
    assert np.array_equal(after[:, others], before[:, others])
    shape = Distribution(TASKS[8], before[:, soon].astype(np.float64)).quantile(0.01)
    assert np.isfinite(shape).any()


def test_tasks_that_say_nothing_of_each_other_are_left_alone() -> None:
    alone = Layout([TASKS[0], TASKS[11]])
    flat = parameters()[:, : alone.columns]
    assert Consistency(alone)(flat) is flat


def test_the_order_of_tasks_changes_nothing() -> None:
    found = []
    for some in list(permutations(TASKS[:4]))[:6]:
        layout = Layout(some)
        said = {name.name: parameters()[:, i] for i, name in enumerate(TASKS[:4])}
        flat = np.stack([said[one.name] for one in layout.tasks], axis=1)
        served = Consistency(layout)(flat)
        found.append([served[:, layout.position(one.name)] for one in TASKS[:4]])
    assert all(np.array_equal(found[0], other) for other in found)


def test_rows_are_worked_through_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Consistency(LAYOUT)(parameters())
    monkeypatch.setattr("model.distributions.consistency._MAX_CELLS", 100)
    assert np.array_equal(Consistency(LAYOUT)(parameters()), whole)


def test_the_compiler_changes_nothing() -> None:
    flat = parameters(seed=3)
    least = {"units_30d": 0.0, "spend_7d": 0.0, "spend_30d": 0.0}
    compiled, plain = (Consistency(LAYOUT, least, use_compiler=use)(flat) for use in (True, False))
    assert not np.array_equal(plain, flat)
    np.testing.assert_allclose(compiled, plain, rtol=2e-5, atol=2e-5)
