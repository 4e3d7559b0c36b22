from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.times import check_time_format, times_of

BERLIN = ZoneInfo("Europe/Berlin")
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 12, 30))  # noqa: DTZ001
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def utc(us: np.int64) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))


@given(st.lists(st.tuples(moments, offsets | st.none()), min_size=1, max_size=20))
def test_times_with_and_without_offset_in_one_column(
    rows: list[tuple[datetime, timezone | None]],
) -> None:
    texts = [moment.replace(tzinfo=offset).isoformat() for moment, offset in rows]
    times = times_of(pa.array(texts), "iso8601", BERLIN)
    for position, (moment, offset) in enumerate(rows):
        if times.ambiguous[position] or times.nonexistent[position]:
            assert offset is None
            continue
        assert not times.unreadable[position]
        assert utc(times.us[position]) == moment.replace(tzinfo=offset or BERLIN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-31", "2024-05-30T22:00:00+00:00"),
        ("2024-05-31 18:30", "2024-05-31T16:30:00+00:00"),
        (" 2024-05-31T18:30:15.25 ", "2024-05-31T16:30:15.250000+00:00"),
        ("2024-05-31T18:30Z", "2024-05-31T18:30:00+00:00"),
        ("2024-05-31 18:30:00 +0530", "2024-05-31T13:00:00+00:00"),
        ("2024-05-31T18:30:00-05", "2024-05-31T23:30:00+00:00"),
        ("2024-05-31T18:30:00.123456789Z", "2024-05-31T18:30:00.123456+00:00"),
    ],
)
def test_iso8601_as_people_write_it(text: str, expected: str) -> None:
    times = times_of(pa.array([text]), "iso8601", BERLIN)
    assert not times.unreadable[0]
    assert utc(times.us[0]).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["now", "today", "2024", "31/05/2024", "2024-02-31", "2024-05-31 25:00", "12:30", "x", "1717"],
)
def test_what_is_not_iso8601_is_not_guessed(text: str) -> None:
    assert times_of(pa.array([text, "2024-01-01"]), "iso8601", BERLIN).unreadable.tolist() == [
        True,
        False,
    ]


def test_local_times_that_occur_twice_or_never() -> None:
    texts = pa.array(["2024-10-27 02:30", "2024-03-31 02:30", "2024-10-27 02:30+01:00"])
    times = times_of(texts, "iso8601", BERLIN)
    assert times.ambiguous.tolist() == [True, False, False]
    assert times.nonexistent.tolist() == [False, True, False]
    earlier, later = (times_of(texts, "iso8601", BERLIN, way) for way in ("earlier", "later"))
    assert not earlier.ambiguous.any()
    assert later.us[0] - earlier.us[0] == 3_600_000_000


@pytest.mark.parametrize("text", ["1969-12-31", "2201-01-01", "9999-01-01", "0001-01-01"])
def test_absurd_years(text: str) -> None:
    times = times_of(pa.array([text]), "iso8601", ZoneInfo("UTC"))
    assert times.absurd.tolist() == [True]


def test_epochs() -> None:
    times = times_of(pa.array(["1717173000.5", "x", "", "1e300"]), "epoch_s", BERLIN)
    assert utc(times.us[0]).isoformat() == "2024-05-31T16:30:00.500000+00:00"
    assert times.unreadable.tolist() == [False, True, False, False]
    assert times.missing.tolist() == [False, False, True, False]
    assert times.absurd.tolist() == [False, False, False, True]
    assert times_of(pa.array([1717173000500]), "epoch_ms", BERLIN).us[0] == times.us[0]


def test_strptime_formats() -> None:
    times = times_of(pa.array(["31/05/2024 18:30", "13/13/2024 1:00"]), "%d/%m/%Y %H:%M", BERLIN)
    assert utc(times.us[0]).isoformat() == "2024-05-31T16:30:00+00:00"
    assert times.unreadable.tolist() == [False, True]
    aware = times_of(pa.array(["31/05/2024 18:30 +0000"]), "%d/%m/%Y %H:%M %z", BERLIN)
    assert utc(aware.us[0]).hour == 18


@pytest.mark.parametrize("time_format", ["%H:%M", "", "%Y-%m", "day", "%Q", "%Y-%m-%d %Z"])
def test_a_format_must_name_a_day(time_format: str) -> None:
    with pytest.raises(ValueError, match=r"format|offset"):
        check_time_format(time_format)


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("s"), pa.date32(), pa.date64()])
def test_native_local_times(kind: pa.DataType) -> None:
    column = pa.array([datetime(2024, 5, 31), None]).cast(kind)  # noqa: DTZ001
    times = times_of(column, "epoch_s", BERLIN)
    assert utc(times.us[0]).isoformat() == "2024-05-30T22:00:00+00:00"
    assert times.missing.tolist() == [False, True]


def test_native_times_with_a_zone() -> None:
    column = pa.array([datetime(2024, 5, 31, 12, tzinfo=UTC)], pa.timestamp("ms", "Asia/Tokyo"))
    assert utc(times_of(column, "iso8601", BERLIN).us[0]).hour == 12
