from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from model.errors import InvalidTask
from model.simulation import SimulatedShop
from model.simulation.truth import Given
from model.tasks import Count, EntityKind, Occurs, PeakPeriod, Task

CUTOFF = datetime(2023, 8, 20, tzinfo=UTC)
ROLLOUTS = 100


def occurs(
    event_type: str = "purchase", entity: EntityKind = "user", horizon_days: int = 30
) -> Task:
    return Task(
        name="asked",
        entity=entity,
        target=Occurs(event_type=event_type),
        horizon_days=horizon_days,
    )


def future(shop: SimulatedShop, task: Task, cutoff_at: datetime = CUTOFF) -> pd.DataFrame:
    """The events that the task asks for."""
    events = shop.events
    until_at = cutoff_at + timedelta(days=task.horizon_days)
    within = (events["time"] > cutoff_at) & (events["time"] <= until_at)
    return events[within & (events["event_type"] == task.target.event_type)]


def log_loss(probability: np.ndarray, happened: np.ndarray) -> float:
    smooth = (probability * ROLLOUTS + 0.5) / (ROLLOUTS + 1)
    return float(-np.mean(np.where(happened, np.log(smooth), np.log(1 - smooth))))


def excess(probability: pd.Series, happened: np.ndarray) -> float:
    """How many standard deviations more happened than was expected."""
    spread = np.sqrt((probability * (1 - probability)).sum() * (1 + 1 / ROLLOUTS))
    return float((happened.sum() - probability.sum()) / spread)


@pytest.mark.parametrize("given", ["log", "state"])
@pytest.mark.parametrize("event_type", ["view", "cart", "purchase"])
def test_users_do_what_the_truth_expects(
    shop: SimulatedShop, event_type: str, given: Given
) -> None:
    task = occurs(event_type)
    probability = shop.truth.occurs_probability(task, CUTOFF, ROLLOUTS, given=given)
    happened = probability.index.isin(future(shop, task)["user"])
    assert probability.between(0, 1).all()
    assert abs(excess(probability, happened)) < 4
    for low, high in [(0, 0.2), (0.2, 0.6), (0.6, 1)]:
        within = probability.between(low, high).to_numpy()
        assert abs(excess(probability[within], happened[within])) < 4


def test_the_more_is_known_the_lower_the_loss(shop: SimulatedShop) -> None:
    losses: dict[str, list[float]] = {"state": [], "log": [], "constant": []}
    for day in (150, 230, 310):
        cutoff_at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=day)
        bought = future(shop, occurs(), cutoff_at)["user"]
        for given in ("state", "log"):
            truth = shop.truth.occurs_probability(occurs(), cutoff_at, ROLLOUTS, given=given)
            happened = truth.index.isin(bought)
            losses[given].append(log_loss(truth.to_numpy(), happened))
        losses["constant"].append(log_loss(np.full(len(truth), happened.mean()), happened))
    state, log, constant = (np.mean(losses[name]) for name in ("state", "log", "constant"))
    assert state < log < 0.75 * constant


def test_only_users_who_have_joined_are_told_of(shop: SimulatedShop) -> None:
    probability = shop.truth.occurs_probability(occurs(), CUTOFF, rollouts=5)
    joined = shop.truth.lifetimes()["joined_at"] < CUTOFF
    assert set(probability.index) == set(joined.index[joined])
    assert probability.index.name == "user"


def test_the_truth_repeats_itself(shop: SimulatedShop) -> None:
    first, again, other = (
        shop.truth.occurs_probability(occurs(), CUTOFF, rollouts=10, seed=seed)
        for seed in (1, 1, 2)
    )
    pd.testing.assert_series_equal(first, again)
    assert not first.equals(other)


def test_a_longer_horizon_makes_it_likelier(shop: SimulatedShop) -> None:
    week, quarter = (
        shop.truth.occurs_probability(occurs(horizon_days=days), CUTOFF, rollouts=30)
        for days in (7, 90)
    )
    assert (week <= quarter).all()
    assert quarter.mean() > week.mean()


def test_a_cutoff_within_a_day_counts_from_its_hour(shop: SimulatedShop) -> None:
    task = occurs("view", horizon_days=1)
    noon = shop.truth.occurs_probability(task, CUTOFF + timedelta(hours=12), ROLLOUTS)
    happened = noon.index.isin(future(shop, task, CUTOFF + timedelta(hours=12))["user"])
    assert abs(excess(noon, happened)) < 4


def test_items_sell_as_the_truth_expects(shop: SimulatedShop) -> None:
    task = occurs(entity="item", horizon_days=7)
    probability = shop.truth.occurs_probability(task, CUTOFF, ROLLOUTS)
    happened = probability.index.isin(future(shop, task)["item"])
    assert len(probability) == len(shop.items)
    assert abs(excess(probability, happened)) < 4


def test_pairs_meet_as_the_truth_expects(shop: SimulatedShop) -> None:
    task = occurs(entity="pair")
    probability = shop.truth.occurs_probability(task, CUTOFF, ROLLOUTS)
    met = future(shop, task).drop_duplicates(["user", "item"])
    met = met[met["user"].isin(shop.truth.occurs_probability(occurs(), CUTOFF, 1).index)]
    assert probability.index.names == ["user", "item"]
    assert probability.between(0, 1).all()
    assert probability.sum() == pytest.approx(len(met), rel=0.2)
    pairs = pd.MultiIndex.from_frame(met[["user", "item"]])
    assert probability[probability.index.isin(pairs)].mean() > 3 * probability.mean()


def test_seasons_show_in_the_log(shop: SimulatedShop) -> None:
    views = shop.events[shop.events["event_type"] == "view"]
    views = views[views["time"] < pd.Timestamp("2024-01-01", tz="UTC")]
    by_month = pd.crosstab(views["item"], views["time"].dt.month)
    share = (by_month / by_month.sum()).loc[by_month.sum(axis=1).nlargest(30).index]
    truth = shop.truth.item_seasonality().loc[share.index]
    correlation = [np.corrcoef(share.loc[item], truth.loc[item])[0, 1] for item in share.index]
    assert np.mean(correlation) > 0.6


def test_seasonality_is_relative_to_the_mean_month(shop: SimulatedShop) -> None:
    season = shop.truth.item_seasonality()
    assert list(season.columns) == list(range(1, 13))
    np.testing.assert_allclose(season.mean(axis=1), 1)
    assert (season > 0).all().all()


def test_peak_months_follow_the_category(shop: SimulatedShop) -> None:
    month = shop.truth.peak_month().loc[shop.items["item"]].to_numpy()
    winter = month[shop.items["category"] == "winter wear"]
    garden = month[shop.items["category"] == "garden"]
    assert np.isin(winter, [10, 11, 12]).mean() > 0.7
    assert np.isin(garden, [4, 5, 6]).mean() > 0.7


@pytest.mark.parametrize(
    ("period", "columns"),
    [
        ("month_of_year", range(1, 13)),
        ("iso_week", range(1, 54)),
        ("weekday", range(1, 8)),
        ("hour", range(24)),
    ],
)
def test_peak_probabilities_are_a_distribution(
    shop: SimulatedShop, period: str, columns: range
) -> None:
    task = Task.model_validate(
        {
            "name": "best_period",
            "entity": "item",
            "target": {"kind": "peak_period", "event_type": "purchase", "period": period},
        }
    )
    probabilities = shop.truth.peak_probabilities(task, CUTOFF, rollouts=5)
    assert list(probabilities.columns) == list(columns)
    sold = probabilities.dropna()
    np.testing.assert_allclose(sold.sum(axis=1), 1)
    if period == "month_of_year":
        ahead = shop.items.set_index("item").loc[sold.index, "category"] == "winter wear"
        assert sold.loc[ahead, [10, 11, 12]].sum(axis=1).mean() > 0.5


@pytest.mark.parametrize("event_type", ["return", "wishlist"])
def test_other_event_types_have_no_known_truth(shop: SimulatedShop, event_type: str) -> None:
    with pytest.raises(InvalidTask, match=event_type):
        shop.truth.occurs_probability(occurs(event_type), CUTOFF)


def test_other_targets_are_refused(shop: SimulatedShop) -> None:
    count = Task(name="orders", entity="user", target=Count(event_type="purchase"), horizon_days=30)
    peak = Task(
        name="best_hour", entity="user", target=PeakPeriod(event_type="purchase", period="hour")
    )
    with pytest.raises(InvalidTask, match="occurs, not count"):
        shop.truth.occurs_probability(count, CUTOFF)
    with pytest.raises(InvalidTask, match="peak_period of the units of items"):
        shop.truth.peak_probabilities(peak, CUTOFF)


def test_what_lies_beyond_the_calendar_is_refused(shop: SimulatedShop) -> None:
    with pytest.raises(InvalidTask, match="400 days"):
        shop.truth.occurs_probability(occurs(horizon_days=401), CUTOFF)
    with pytest.raises(ValueError, match="outside the log"):
        shop.truth.occurs_probability(occurs(), datetime(2022, 12, 31, tzinfo=UTC))


def test_nobody_is_known_before_the_first_day(shop: SimulatedShop) -> None:
    first = datetime(2023, 1, 1, tzinfo=UTC)
    assert shop.truth.occurs_probability(occurs(), first, rollouts=2).empty
    assert shop.truth.occurs_probability(occurs(entity="pair"), first, rollouts=2).empty
