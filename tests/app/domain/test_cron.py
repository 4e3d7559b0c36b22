from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.cron import check_cron, next_time
from app.errors import Invalid

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def times(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    found = [after]
    for _ in range(count):
        found.append(next_time(expression, zone, found[-1]))
    return found[1:]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_the_hour_is_that_of_the_zone_all_year() -> None:
    assert next_time("0 3 * * *", "Europe/London", utc(2026, 1, 10)) == utc(2026, 1, 10, 3)
    assert next_time("0 3 * * *", "Europe/London", utc(2026, 7, 10)) == utc(2026, 7, 10, 2)
    assert next_time("0 3 * * *", "Asia/Kolkata", utc(2026, 7, 10)) == utc(2026, 7, 10, 21, 30)


def test_the_moment_itself_is_not_after_it() -> None:
    due = utc(2026, 1, 10, 3)
    assert next_time("0 3 * * *", "UTC", due) == due + timedelta(days=1)


def test_a_fixed_hour_that_comes_twice_counts_once() -> None:
    # London, 25 October 2026: 01:59 BST is followed by 01:00 GMT.
    found = times("30 1 * * *", "Europe/London", utc(2026, 10, 24, 12), 2)
    assert found == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]
    # Also for who asks between the two.
    assert next_time("30 1 * * *", "Europe/London", utc(2026, 10, 25, 1)) == found[1]


def test_every_hour_is_every_hour_also_when_the_clocks_go_back() -> None:
    found = times("0 * * * *", "Europe/London", utc(2026, 10, 24, 23), 4)
    assert found == [utc(2026, 10, 25, hour) for hour in range(4)]


def test_a_missing_hour_is_made_up_for_at_its_end() -> None:
    # London, 29 March 2026: 00:59 GMT is followed by 02:00 BST.
    found = times("30 1 * * *", "Europe/London", utc(2026, 3, 28, 12), 2)
    assert found == [utc(2026, 3, 29, 1), utc(2026, 3, 30, 0, 30)]


def test_every_hour_runs_once_an_hour_also_when_the_clocks_go_forward() -> None:
    found = times("0 * * * *", "Europe/London", utc(2026, 3, 28, 23), 4)
    assert found == [utc(2026, 3, 29, hour) for hour in range(4)]


@pytest.mark.parametrize(
    "expression", ["* * * * *", "0 3 * * 1", "*/15 9-17 * * mon-fri", "0 0 29 2 *", "0 0 1,15 * *"]
)
def test_good_expressions(expression: str) -> None:
    check_cron(expression, "Europe/London", NOW)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "every monday",
        "61 * * * *",
        "* * * * * *",
        "@daily",
        "0 0 30 2 *",
        "R * * * *",
        "H 3 * * *",
        "r(0-5) * * * *",
        "* * * *",
        "0 0 * * 1/0",
    ],
)
def test_what_is_no_cron_expression_is_named_with_a_way_out(expression: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_cron(expression, "UTC", NOW)
    assert caught.value.code == "invalid_cron"
    assert repr(expression) in caught.value.detail
    assert "'0 3 * * 1'" in caught.value.detail
    assert [error.pointer for error in caught.value.errors] == ["/body/cron"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_named_with_a_way_out(zone: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_cron("0 3 * * *", zone, NOW)
    assert caught.value.code == "unknown_time_zone"
    assert repr(zone) in caught.value.detail
    assert "Europe/London" in caught.value.detail
    assert [error.pointer for error in caught.value.errors] == ["/body/time_zone"]
