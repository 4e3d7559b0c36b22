from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pandas as pd
import pytest

import model.simulation.shop
from model.simulation import SimulatedShop, simulate_events, simulate_shop


def small(seed: int) -> SimulatedShop:
    return simulate_shop(users=60, items=20, days=60, seed=seed)


def test_the_same_seed_gives_the_same_shop() -> None:
    first, second = small(seed=5), small(seed=5)
    pd.testing.assert_frame_equal(first.events, second.events)
    pd.testing.assert_frame_equal(first.users, second.users)
    pd.testing.assert_frame_equal(first.items, second.items)


def test_another_seed_gives_another_shop() -> None:
    first, second = small(seed=5), small(seed=6)
    assert not first.events.equals(second.events)
    assert not first.users.equals(second.users)


def test_events_have_the_canonical_columns(shop: SimulatedShop) -> None:
    assert {name: str(dtype) for name, dtype in shop.events.dtypes.items()} == {
        "user": "str",
        "item": "str",
        "time": "datetime64[us, UTC]",
        "event_type": "str",
        "quantity": "float64",
        "price": "float64",
        "value": "float64",
    }


def test_events_are_in_order_and_within_the_log(shop: SimulatedShop) -> None:
    time = shop.events["time"]
    assert time.is_monotonic_increasing
    assert time.iloc[0] >= pd.Timestamp("2023-01-01", tz="UTC")
    assert time.iloc[-1] < pd.Timestamp("2023-01-01", tz="UTC") + pd.Timedelta(days=420)


def test_every_event_is_of_a_listed_user_and_item(shop: SimulatedShop) -> None:
    assert shop.users["user"].is_unique
    assert shop.items["item"].is_unique
    assert shop.events["user"].isin(shop.users["user"]).all()
    assert shop.events["item"].isin(shop.items["item"]).all()


def test_arrow_and_pandas_tell_the_same(shop: SimulatedShop) -> None:
    coded = shop.events_arrow.to_pandas()
    assert coded["user"].astype("str").equals(shop.events["user"])
    assert coded["value"].equals(shop.events["value"])


@pytest.mark.parametrize("events", [20_000, 60_000])
def test_a_shop_of_so_many_events(events: int) -> None:
    shop = simulate_events(events, days=200, seed=1)
    assert len(shop.events) == pytest.approx(events, rel=0.25)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"users": 0}, "users must be at least 1"),
        ({"items": 3}, "items must be at least 12"),
        ({"days": 0}, "days must be at least 1"),
        ({"start_at": datetime(2023, 1, 1, 5, tzinfo=UTC)}, "start_at must be a midnight"),
        ({"start_at": datetime(2023, 1, 1)}, "start_at must be a midnight"),  # noqa: DTZ001
    ],
)
def test_sizes_that_make_no_shop_are_refused(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        simulate_shop(**arguments)  # type: ignore[arg-type]


def test_one_user_and_one_day_are_a_shop() -> None:
    shop = simulate_shop(users=1, items=12, days=1)
    assert list(shop.events.columns) == list(small(seed=0).events.columns)


def test_the_example_runs() -> None:
    assert doctest.testmod(model.simulation.shop).failed == 0
