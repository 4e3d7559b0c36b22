"""The outlook: what the shop did at that time of earlier years, and nothing that comes later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from model.distributions import Layout
from model.events import MICROSECONDS_PER_DAY, EventLog, to_microseconds
from model.snapshots.outlook import (
    BOUND,
    LASTING_SHARE,
    Outlook,
    OutlookColumns,
    came_true,
    learn_outlooks,
    outlook_key,
)
from model.tasks import Count, Occurs, PeakPeriod, Sum, Task, TimeTo

FIRST = datetime(2021, 1, 1, tzinfo=UTC)


def task(horizon_days: int = 30, **kwargs: object) -> Task:
    target = kwargs.pop("target", Occurs(event_type="purchase"))
    return Task(name="t", entity="user", target=target, horizon_days=horizon_days, **kwargs)  # type: ignore[arg-type]


def shop(
    years: float, december: float, users: int = 400, seed: int = 0, doubled_after: int | None = None
) -> EventLog:
    """Every day a tenth of the users buys, in December so many times as many."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(FIRST, periods=int(365 * years), freq="D")
    rate = np.where(days.month == 12, 0.1 * december, 0.1)
    if doubled_after is not None:
        rate[doubled_after:] *= 2
    day, user = np.nonzero(rng.random((len(days), users)) < rate[:, None])
    return EventLog.from_frames(
        pd.DataFrame(
            {
                "user": [f"u{n}" for n in user],
                "item": "i",
                "time": days[day] + pd.to_timedelta(rng.random(len(day)), unit="D"),
                "event_type": "purchase",
            }
        )
    )


def at(outlook: Outlook, when: datetime) -> float:
    return outlook.moves[(when - datetime(1970, 1, 1, tzinfo=UTC)).days - outlook.first_day]


@pytest.fixture(scope="module")
def seasonal() -> EventLog:
    return shop(years=2.5, december=3)


def test_what_comes_every_december_is_expected(seasonal: EventLog) -> None:
    asked = task()
    expected, _ = learn_outlooks(seasonal, [asked], seasonal.last_us)
    outlook = expected[outlook_key(asked)]
    assert 0.5 < at(outlook, datetime(2022, 12, 1, tzinfo=UTC)) < np.log(3)
    assert at(outlook, datetime(2023, 12, 1, tzinfo=UTC)) > 0.5  # after the log's end
    assert abs(at(outlook, datetime(2022, 6, 1, tzinfo=UTC))) < 0.2
    assert at(outlook, datetime(2023, 1, 1, tzinfo=UTC)) < -0.2


def test_a_shop_without_seasons_expects_little(seasonal: EventLog) -> None:
    asked = task()
    same = shop(years=2.5, december=1)
    moves = np.array(learn_outlooks(same, [asked], same.last_us)[0][outlook_key(asked)].moves)
    assert np.abs(moves).max() < 0.1


def test_few_visits_say_little() -> None:
    asked, small, large = task(), shop(2.5, 3, users=3), shop(2.5, 3, users=400)
    when = datetime(2022, 12, 1, tzinfo=UTC)
    one, other = (
        at(learn_outlooks(log, [asked], log.last_us)[0][outlook_key(asked)], when)
        for log in (small, large)
    )
    assert abs(one) < abs(other)


@pytest.mark.parametrize("horizon_days", [7, 30, 300])
@pytest.mark.parametrize("start_days", [0, 14])
def test_nothing_later_than_the_day_is_looked_at(
    seasonal: EventLog, horizon_days: int, start_days: int
) -> None:
    asked = task(horizon_days, start_days=start_days)
    end_us = to_microseconds(datetime(2022, 6, 1, tzinfo=UTC))
    whole, _ = learn_outlooks(seasonal, [asked], end_us)
    for day in range(0, 300, 23):
        when = datetime(2022, 6, 1, tzinfo=UTC) + timedelta(days=day)
        known, _ = learn_outlooks(seasonal.until(to_microseconds(when)), [asked], end_us)
        key = outlook_key(asked)
        assert at(known[key], when) == pytest.approx(at(whole[key], when), abs=1e-3)


def test_training_knows_what_came_true_up_to_its_end(seasonal: EventLog) -> None:
    asked = task()
    end = datetime(2022, 6, 1, tzinfo=UTC)
    expected, realised = (
        found[outlook_key(asked)]
        for found in learn_outlooks(seasonal, [asked], to_microseconds(end))
    )
    december = datetime(2021, 12, 1, tzinfo=UTC)
    assert abs(at(expected, december)) < 0.1  # no year before it
    assert at(realised, december) > 0.8
    for later in (end - timedelta(days=29), datetime(2022, 12, 1, tzinfo=UTC)):
        assert at(realised, later) == at(expected, later)


def test_what_came_true_later_counts_as_in_training(seasonal: EventLog) -> None:
    asked = task()
    key = outlook_key(asked)
    end_us = to_microseconds(datetime(2021, 12, 1, tzinfo=UTC))
    until = datetime(2022, 2, 1, tzinfo=UTC)
    expected, realised = (found[key] for found in learn_outlooks(seasonal, [asked], end_us))
    later = came_true(seasonal, [asked], end_us, to_microseconds(until))[key]
    summer, december = datetime(2021, 7, 1, tzinfo=UTC), datetime(2021, 12, 1, tzinfo=UTC)
    assert at(later, summer) == at(realised, summer)
    assert at(later, december) > 0.8 > at(realised, december)
    unknown = until - timedelta(days=29)
    assert at(later, unknown) == at(expected, unknown)


def test_what_is_beyond_the_season_lasts_in_part() -> None:
    """From a day on twice as many buy as ever before."""
    asked = task(horizon_days=14)
    doubled = FIRST + timedelta(days=400)
    log = shop(years=1.3, december=1, doubled_after=400)
    known = learn_outlooks(log, [asked], to_microseconds(doubled))[0][outlook_key(asked)]
    assert abs(at(known, doubled)) < 0.1
    growing = [at(known, doubled + timedelta(days=days)) for days in (4, 10, 16, 22)]
    assert growing == sorted(growing)
    assert growing[0] > 0.02  # the trend is seen before a window is over
    assert growing[-1] < 2 * LASTING_SHARE * np.log(2)
    ended, long_after = (at(known, doubled + timedelta(days=days)) for days in (76, 200))
    assert 0 < ended < LASTING_SHARE * np.log(2)
    assert long_after == pytest.approx(ended, abs=0.1)  # nothing new is known of later


def test_a_trend_that_every_year_has_is_none(seasonal: EventLog) -> None:
    """After a second December it is known that it does not go on."""
    asked = task()
    known = learn_outlooks(seasonal, [asked], seasonal.last_us)[0][outlook_key(asked)]
    first, second = (at(known, datetime(year, 12, 29, tzinfo=UTC)) for year in (2021, 2022))
    assert first > 0.2
    assert second < -0.1


def test_what_moves_are_chances_and_numbers_of_events() -> None:
    tasks = [
        Task(name="buys", entity="user", target=Occurs(event_type="purchase"), horizon_days=30),
        Task(name="orders", entity="user", target=Count(event_type="purchase"), horizon_days=30),
        Task(name="spend", entity="user", target=Sum(event_type="purchase"), horizon_days=30),
        Task(name="days", entity="user", target=TimeTo(event_type="purchase"), horizon_days=30),
        Task(name="best", entity="user", target=PeakPeriod(event_type="purchase")),
        Task(name="week", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),
    ]
    layout = Layout(tasks)
    outlooks = {outlook_key(tasks[0]): Outlook(first_day=10, moves=(0.5, 1.0))}
    columns = OutlookColumns.of(layout, outlooks)
    assert columns is not None
    flat = np.zeros((4, layout.columns), dtype=np.float32)
    columns.add_to(flat, np.array([9, 10, 11, 12]) * MICROSECONDS_PER_DAY + 5)
    moved = {
        name: flat[2, layout.columns_of(name)].tolist() for name in ("buys", "orders", "spend")
    }
    assert moved == {"buys": [1], "orders": [1, 1, 0], "spend": [1, 0, 0]}
    assert (flat[2, layout.columns_of("days")] == 1).all()
    for name in ("best", "week"):
        assert (flat[:, layout.columns_of(name)] == 0).all()
    assert flat[:, layout.columns_of("buys")].ravel().tolist() == [0, 0.5, 1, 0]
    assert OutlookColumns.of(layout, {}) is None


def test_moves_are_bounded_and_a_log_without_times_has_none(seasonal: EventLog) -> None:
    asked = task(7)
    wild = shop(years=2.5, december=0.0)
    for found in learn_outlooks(wild, [asked], wild.last_us):
        assert np.abs(found[outlook_key(asked)].moves).max() <= BOUND
    timeless = EventLog.from_frames(
        pd.DataFrame({"user": ["a"], "item": ["i"], "event_type": ["purchase"]})
    )
    assert learn_outlooks(timeless, [asked], 0) == ({}, {})
