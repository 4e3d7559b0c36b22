from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from model.simulation import SimulatedShop
from model.simulation.log import CHECKPOINT_DAYS
from model.simulation.state import State


def so_far(events: pd.DataFrame, amount: pd.Series) -> pd.Series:
    """The running sum of an amount over the events of each user and item."""
    return amount.groupby([events["user"], events["item"]]).cumsum()


def is_(events: pd.DataFrame, event_type: str) -> pd.Series:
    return (events["event_type"] == event_type).astype(float)


def test_each_purchase_empties_a_cart_and_each_cart_follows_a_view(shop: SimulatedShop) -> None:
    events = shop.events
    views, carts, purchases = (
        so_far(events, is_(events, name)) for name in ("view", "cart", "purchase")
    )
    assert (carts <= views).all()
    assert (purchases <= carts).all()


def test_the_funnel_narrows(shop: SimulatedShop) -> None:
    count = shop.events["event_type"].value_counts()
    assert count["view"] > 3 * count["cart"] > 3 * count["purchase"] > 3 * count["return"] > 0


def test_no_more_comes_back_than_was_bought(shop: SimulatedShop) -> None:
    events = shop.events
    units = events["quantity"].fillna(0)
    bought = so_far(events, units * is_(events, "purchase"))
    returned = so_far(events, units * is_(events, "return"))
    assert (returned <= bought).all()


def test_nothing_happens_before_joining_or_after_leaving(shop: SimulatedShop) -> None:
    lifetimes = shop.truth.lifetimes().loc[shop.events["user"]]
    time = shop.events["time"].to_numpy()
    assert (lifetimes["joined_at"].to_numpy() <= time).all()
    gone = lifetimes["left_at"].notna().to_numpy()
    assert (time[gone] < lifetimes["left_at"].to_numpy()[gone]).all()


def test_some_leave_and_some_join_late(shop: SimulatedShop) -> None:
    lifetimes = shop.truth.lifetimes()
    assert 0.1 < lifetimes["left_at"].notna().mean() < 0.8
    assert 0.3 < (lifetimes["joined_at"] > lifetimes["joined_at"].min()).mean() < 0.8


def test_consumables_are_bought_again(shop: SimulatedShop) -> None:
    bought = shop.events[shop.events["event_type"] == "purchase"]
    category = bought["item"].map(shop.items.set_index("item")["category"])
    consumable = category.isin(["coffee", "pet food", "cosmetics", "sun care"])
    again = bought.duplicated(["user", "item"])
    assert again[consumable].mean() > 2 * again[~consumable].mean()


def test_visits_come_in_bursts(shop: SimulatedShop) -> None:
    """A user's events by week vary far more than a Poisson process of visits would."""
    views = shop.events[shop.events["event_type"] == "view"]
    visits = views.assign(day=views["time"].dt.floor("D"), week=views["time"].dt.floor("7D"))
    days = visits.drop_duplicates(["user", "day"])
    table = pd.crosstab(days["user"], days["week"])
    busy = table[table.sum(axis=1) > 20]
    assert (busy.var(axis=1) / busy.mean(axis=1)).mean() > 1.3


def test_a_promotion_cuts_prices_and_raises_demand(shop: SimulatedShop) -> None:
    world = shop.chronicle.world
    columns = shop.chronicle.columns
    day = columns.time_us // 86_400_000_000
    category = world.catalogue.category_I[columns.item]
    views = np.zeros((world.days.log_days, 12))
    np.add.at(views, (day[columns.event_type == 0], category[columns.event_type == 0]), 1)
    share = views / np.maximum(1, views.sum(axis=1, keepdims=True))
    promoted = world.days.discount_DC[: world.days.log_days] > 0
    lift = [
        share[promoted[:, c], c].mean() / share[~promoted[:, c], c].mean()
        for c in range(12)
        if promoted[:, c].any()
    ]
    assert np.mean(lift) > 1.3
    sold = columns.event_type == 2
    assert (columns.price[sold] <= world.catalogue.list_price_I[columns.item[sold]]).all()


def test_the_day_and_the_week_have_a_rhythm(shop: SimulatedShop) -> None:
    views = shop.events.loc[shop.events["event_type"] == "view", "time"]
    hour = views.dt.hour.value_counts(normalize=True)
    assert hour[20] > 5 * hour[3]
    weekday = views.dt.day_of_week.value_counts(normalize=True)
    assert weekday[6] > weekday[4]


def test_new_items_are_not_seen_before_their_launch(shop: SimulatedShop) -> None:
    columns = shop.chronicle.columns
    launch_day = shop.chronicle.world.catalogue.launch_day_I
    assert (launch_day > 0).any()
    assert (columns.time_us // 86_400_000_000 >= launch_day[columns.item]).all()


@pytest.mark.parametrize("day", [0, 1, CHECKPOINT_DAYS, 95, 420])
def test_a_state_is_the_same_from_any_checkpoint(shop: SimulatedShop, day: int) -> None:
    chronicle = shop.chronicle
    from_the_start = replace(chronicle, checkpoints={0: chronicle.checkpoints[0]})
    near, far = chronicle.state_before(day), from_the_start.state_before(day)
    for field in fields(State):
        np.testing.assert_array_equal(getattr(near, field.name), getattr(far, field.name))


def test_a_day_outside_the_log_has_no_state(shop: SimulatedShop) -> None:
    with pytest.raises(ValueError, match="day 0 to 420, not day 421"):
        shop.chronicle.state_before(421)
