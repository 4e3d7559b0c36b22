from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.snapshots import Season, SeasonalNaive, SnapshotPlan, SnapshotReader, shop_shares
from model.tasks import PeakPeriod, Task

YEAR_DAYS = 365
SEASON = Season(period="month_of_year", event_type="purchase", of="units")
TARGET = PeakPeriod(event_type="purchase")
TASK = Task(name="best", entity="item", target=TARGET)


def reader_of(events: pd.DataFrame) -> SnapshotReader:
    log = EventLog.from_frames(events.assign(event_type="purchase", user="a"))
    return SnapshotReader(log, SnapshotPlan.from_log(log, [TASK], Config(), log.last_us))


def daily(days: int, **items: float) -> pd.DataFrame:
    """A purchase of each item every noon, with so many units in July and one else."""
    noons = pd.date_range("2022-01-01 12:00", periods=days, freq="D", tz="UTC")
    frames = [
        pd.DataFrame(
            {"item": item, "time": noons, "quantity": np.where(noons.month == 7, july, 1.0)}
        )
        for item, july in items.items()
    ]
    return pd.concat(frames)


def shares_of(reader: SnapshotReader, until_us: int, target: PeakPeriod = TARGET) -> np.ndarray:
    sold = reader.choices_of("item").places(target.event_type, target.where)
    return shop_shares(reader.items, sold, SEASON, until_us)


def forecast(reader: SnapshotReader, cutoff: str, strength: float) -> pd.DataFrame:
    """(items, months) shares."""
    cutoff_us = int(pd.Timestamp(cutoff, tz="UTC").timestamp()) * 1_000_000
    inputs = reader.item_inputs(np.arange(len(reader.log.items)), cutoff_us)
    names = [feature.name for feature in reader.features("item")]
    shares = shares_of(reader, cutoff_us)
    naive = SeasonalNaive(season=SEASON, shop_shares=tuple(shares), strength=strength)
    found = np.exp(naive.log_shares(inputs, names, reader.log))
    return pd.DataFrame(found, index=reader.log.items.ids, columns=range(1, 13))


def test_the_coming_year_looks_like_the_last() -> None:
    reader = reader_of(daily(2 * YEAR_DAYS, warm=10.0, flat=1.0))
    shares = forecast(reader, "2023-12-31", strength=0.01)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-3)
    assert shares.loc["warm"].idxmax() == 7
    assert shares.loc["warm", 7] == pytest.approx(310 / (310 + 334), rel=0.02)
    np.testing.assert_allclose(shares.loc["flat"], 1 / 12, rtol=0.1)


def test_an_item_of_few_sales_has_the_shops_season() -> None:
    events = daily(2 * YEAR_DAYS, warm=10.0)
    once = pd.DataFrame(
        {"item": "new", "time": [pd.Timestamp("2023-12-01", tz="UTC")], "quantity": 1.0}
    )
    shares = forecast(reader_of(pd.concat([events, once])), "2023-12-31", strength=100.0)
    np.testing.assert_allclose(shares.loc["new"], shares.loc["warm"], rtol=0.35)
    assert shares.loc["new"].idxmax() == 7


def test_a_period_that_the_log_has_not_shown_is_not_taken_for_one_without_sales() -> None:
    # Half a year of even sales, January to June.
    reader = reader_of(daily(181, even=1.0))
    shares = forecast(reader, "2022-07-01", strength=1.0)
    np.testing.assert_allclose(shares.loc["even"], 1 / 12, rtol=0.15)


def test_the_shops_season_looks_at_no_later_event() -> None:
    events = daily(2 * YEAR_DAYS, warm=10.0, flat=1.0)
    until_us = int(pd.Timestamp("2023-06-01", tz="UTC").timestamp()) * 1_000_000
    later = events["time"] > pd.Timestamp("2023-06-01", tz="UTC")
    first = shares_of(reader_of(events), until_us)
    changed = events.assign(quantity=events["quantity"].where(~later, 99.0))
    assert np.array_equal(first, shares_of(reader_of(changed), until_us))
    assert first.sum() == pytest.approx(1)
    assert int(first.argmax()) == 6


def test_the_season_of_a_target_with_conditions_is_of_the_sales_that_they_choose() -> None:
    events = daily(2 * YEAR_DAYS, warm=10.0, flat=1.0).assign(event_type="purchase", user="a")
    items = pd.DataFrame({"item": ["warm", "flat"], "kind": ["summer", "all year"]})
    log = EventLog.from_frames(events, items=items)
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, [TASK], Config(), log.last_us))
    even = {"attribute": "item.kind", "value": "all year"}
    target = PeakPeriod.model_validate({"event_type": "purchase", "where": [even]})
    assert int(shares_of(reader, log.last_us).argmax()) == 6
    np.testing.assert_allclose(shares_of(reader, log.last_us, target), 1 / 12, rtol=0.1)


def test_rows_at_many_cutoffs_are_each_read_at_theirs() -> None:
    reader = reader_of(daily(2 * YEAR_DAYS, warm=10.0, flat=1.0))
    names = [feature.name for feature in reader.features("item")]
    naive = SeasonalNaive(season=SEASON, shop_shares=(1 / 12,) * 12, strength=1.0)
    cutoffs = [
        reader.log.first_us // 10**6 * 10**6 + day * MICROSECONDS_PER_DAY for day in (200, 500)
    ]
    each = [reader.item_inputs(np.arange(2), cutoff) for cutoff in cutoffs]
    together = type(each[0]).concatenate(each)
    expected = np.concatenate([naive.log_shares(one, names, reader.log) for one in each])
    np.testing.assert_array_equal(naive.log_shares(together, names, reader.log), expected)
