from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import PERIOD_LABELS, exposure_hours, period_codes, to_datetime, to_microseconds
from model.events.calendar import local_days, local_minutes
from model.tasks import PERIODS

HOUR_US = 3_600_000_000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu")
moments = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001


def code_of(moment: datetime, period: str) -> int:
    """By Python's own calendar."""
    return {
        "month_of_year": moment.month - 1,
        "iso_week": moment.isocalendar().week - 1,
        "weekday": moment.isoweekday() - 1,
        "hour": moment.hour,
    }[period]


def test_every_period_has_a_label() -> None:
    assert {name: len(labels) for name, labels in PERIOD_LABELS.items()} == PERIODS


@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_periods_are_those_of_the_shops_clocks(times: list[datetime], zone: str) -> None:
    time_us = np.array([to_microseconds(time.replace(tzinfo=UTC)) for time in times])
    local = [to_datetime(us).astimezone(ZoneInfo(zone)) for us in time_us.tolist()]
    for period in PERIODS:
        expected = [code_of(moment, period) for moment in local]
        assert period_codes(time_us, period, zone).tolist() == expected
    days = [(moment.date() - datetime(1970, 1, 1).date()).days for moment in local]  # noqa: DTZ001
    assert local_days(time_us, zone).tolist() == days


@given(moments, st.integers(1, 24 * 40), st.sampled_from(ZONES), st.sampled_from(list(PERIODS)))
def test_exposure_sums_to_the_hours(start: datetime, hours: int, zone: str, period: str) -> None:
    start_us = to_microseconds(start.replace(minute=15, second=0, microsecond=0, tzinfo=UTC))
    exposure = exposure_hours(start_us, start_us + hours * HOUR_US, period, zone)
    assert exposure.shape == (PERIODS[period],)  # type: ignore[index]
    assert exposure.sum() == hours


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)]
)
def test_days_of_the_clock_change_are_shorter_and_longer(day: str, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = start.replace(day=start.day + 1) if start.day < 31 else datetime(2024, 4, 1, tzinfo=zone)
    exposure = exposure_hours(
        to_microseconds(start), to_microseconds(end), "weekday", "Europe/Berlin"
    )
    assert exposure[start.isoweekday() - 1] == hours
    assert exposure.sum() == hours


def test_the_hour_that_is_left_out_has_no_exposure() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start, end = datetime(2024, 3, 31, tzinfo=zone), datetime(2024, 4, 1, tzinfo=zone)
    exposure = exposure_hours(to_microseconds(start), to_microseconds(end), "hour", "Europe/Berlin")
    assert exposure.tolist() == [1, 1, 0, *[1] * 21]


def test_half_a_month_is_half_exposed() -> None:
    start, end = datetime(2024, 1, 17, tzinfo=UTC), datetime(2024, 2, 11, tzinfo=UTC)
    exposure = exposure_hours(to_microseconds(start), to_microseconds(end), "month_of_year", "UTC")
    assert exposure[:3].tolist() == [15 * 24, 10 * 24, 0]


@pytest.mark.parametrize("time_zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"])
def test_compiled_or_not_the_minutes_are_the_same(
    time_zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_us = np.sort(np.random.default_rng(0).integers(-(10**15), 2 * 10**15, 5000))
    compiled = local_minutes(times_us, time_zone)
    monkeypatch.setattr("model.events.calendar.COMPILED", False)
    assert (compiled == local_minutes(times_us, time_zone)).all()
