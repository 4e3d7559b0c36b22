from __future__ import annotations

import pytest

from model.simulation import SimulatedShop


@pytest.mark.parametrize("column", ["country", "age", "signup_channel", "newsletter"])
def test_some_user_attributes_are_missing(shop: SimulatedShop, column: str) -> None:
    assert 0 < shop.users[column].isna().mean() < 0.5


@pytest.mark.parametrize("column", ["brand", "list_price", "weight_kg"])
def test_some_item_attributes_are_missing(shop: SimulatedShop, column: str) -> None:
    assert 0 < shop.items[column].isna().mean() < 0.5


def test_every_item_has_a_category(shop: SimulatedShop) -> None:
    assert shop.items["category"].nunique() == 12
    assert shop.items["category"].notna().all()


def test_values_follow_quantity_and_price(shop: SimulatedShop) -> None:
    events = shop.events.set_index("event_type")
    bought, returned = events.loc["purchase"], events.loc["return"]
    assert (bought["value"] - bought["quantity"] * bought["price"]).abs().max() < 0.006
    assert (returned["value"] + returned["quantity"] * returned["price"]).abs().max() < 0.006
    assert (returned["quantity"] >= 1).all()
    assert events.loc[["view", "cart"], "value"].isna().all()
    assert events.loc["view", "quantity"].isna().all()


def test_attributes_tell_something_of_the_rates(shop: SimulatedShop) -> None:
    events_of = shop.events["user"].value_counts()
    users = shop.users.assign(events=shop.users["user"].map(events_of).fillna(0))
    by_channel = users.groupby("signup_channel")["events"].mean()
    assert by_channel["referral"] > 1.3 * by_channel["advert"]
