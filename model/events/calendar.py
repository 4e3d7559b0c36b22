"""Periods of the calendar in the shop's time zone: months, ISO weeks, weekdays, hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.compiled import COMPILED, compiled

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
QUARTER_US = _HOUR_US // 4
MINUTE_US = _HOUR_US // 60
_WEEKDAY_OF_FIRST_DAY = 3
"""1970 began on a Thursday; Monday is 0."""
_FEW = 1 << 12
"""Fewer times than these are looked up by NumPy: it is not worth a compiler."""

PERIOD_LABELS: dict[str, tuple[str, ...]] = {
    "month_of_year": tuple(str(month) for month in range(1, 13)),
    "iso_week": tuple(str(week) for week in range(1, 54)),
    "weekday": tuple(str(day) for day in range(1, 8)),
    "hour": tuple(str(hour) for hour in range(24)),
}
"""What the periods of a cycle are called in answers; weekday 1 is Monday."""


def period_codes(time_us: NDArray[np.int64], period: str, time_zone: str) -> NDArray[np.int64]:
    """The period that each time falls in, from 0, by the shop's clocks.

    Args:
        time_us: (N,) microseconds since 1970, UTC.
        period: a key of `PERIOD_LABELS`.
        time_zone: IANA name.
    """
    local_us = _by_quarters(time_us, time_zone)
    days = local_us // _DAY_US
    if period == "hour":
        return local_us // _HOUR_US % 24
    if period == "month_of_year":
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    weekday = (days + _WEEKDAY_OF_FIRST_DAY) % 7
    if period == "weekday":
        return weekday
    # The year of an ISO week is that of its Thursday.
    thursday = (days - weekday + 3).astype("datetime64[D]")
    weeks: NDArray[np.int64] = (thursday - thursday.astype("datetime64[Y]")).astype(np.int64) // 7
    return weeks


def local_days(time_us: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    """The shop's calendar day of each time, counted from 1970."""
    return _by_quarters(time_us, time_zone) // _DAY_US


def local_minutes(time_us: NDArray[np.int64], time_zone: str) -> NDArray[np.int32]:
    """Minutes since 1970 by the shop's clocks: `// 1440` is the day, `% 1440 // 60` the hour.

    Args:
        time_us: (N,) ascending.
        time_zone: IANA name.
    """
    if time_zone == "UTC":
        return (time_us // MINUTE_US).astype(np.int32)
    starts = _quarter_starts(time_us)
    utc = time_us[starts] // QUARTER_US * QUARTER_US
    offsets = _local_us(utc, time_zone) - utc
    if _is_worth_it(time_us):
        minutes = np.empty(len(time_us), dtype=np.int32)
        _put_minutes(np.asarray(time_us), starts, np.asarray(offsets), minutes)
        return minutes
    shifted = time_us + np.repeat(offsets, np.diff(starts, append=len(time_us)))
    return (shifted // MINUTE_US).astype(np.int32)


class LocalClock:
    """The shop's clock over some stretch of time, looked up once for each quarter of an hour.

    Attributes:
        ahead_us: how much the clocks are ahead of UTC in each quarter; empty for UTC itself.
        first_quarter: since 1970.

    Args:
        first_us: the earliest time that is asked for.
        last_us: the latest.
        time_zone: IANA name.
    """

    def __init__(self, first_us: int, last_us: int, time_zone: str) -> None:
        self.first_quarter = first_us // QUARTER_US
        self.ahead_us = np.zeros(0, dtype=np.int64)
        if time_zone != "UTC":
            utc = np.arange(self.first_quarter, last_us // QUARTER_US + 1) * QUARTER_US
            self.ahead_us = np.ascontiguousarray(_local_us(utc, time_zone) - utc)

    def minutes(self, time_us: NDArray[np.int64]) -> NDArray[np.int32]:
        """As `local_minutes`, of times in any order."""
        if len(self.ahead_us):
            time_us = time_us + self.ahead_us[time_us // QUARTER_US - self.first_quarter]
        return (time_us // MINUTE_US).astype(np.int32)


def _local_us(utc_us: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    """What the shop's clocks show, as if they showed UTC."""
    local = pd.DatetimeIndex(utc_us.astype("datetime64[us]"), tz="UTC").tz_convert(time_zone)
    return local.tz_localize(None).astype("int64").to_numpy()


def _is_worth_it(time_us: NDArray[np.int64]) -> bool:
    return COMPILED and len(time_us) >= _FEW


def _quarter_starts(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a quarter of an hour begins that has events."""
    if _is_worth_it(time_us):
        return _found_quarters(np.asarray(time_us))
    quarters = time_us // QUARTER_US
    return np.flatnonzero(np.diff(quarters, prepend=quarters[:1] - 1))


@compiled
def _found_quarters(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.empty(1024, dtype=np.int64)
    found = 0
    ends_us = np.int64(0)
    for row in range(len(time_us)):
        if row == 0 or time_us[row] >= ends_us:
            if found == len(starts):
                wider = np.empty(2 * found, dtype=np.int64)
                wider[:found] = starts
                starts = wider
            starts[found] = row
            found += 1
            ends_us = (time_us[row] // QUARTER_US + 1) * QUARTER_US
    return starts[:found].copy()


@compiled
def _put_minutes(
    time_us: NDArray[np.int64],
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    minutes: NDArray[np.int32],
) -> None:
    for quarter in range(len(starts)):
        stop = starts[quarter + 1] if quarter + 1 < len(starts) else len(time_us)
        for row in range(starts[quarter], stop):
            minutes[row] = (time_us[row] + offsets[quarter]) // MINUTE_US


def _by_quarters(time_us: NDArray[np.int64], time_zone: str) -> NDArray[np.int64]:
    """What the shop's clocks show, of times in any order."""
    if time_zone == "UTC":
        return time_us
    # All offsets in use are whole quarter-hours, so one look-up per distinct one is exact.
    quarters, inverse = np.unique(time_us // QUARTER_US, return_inverse=True)
    utc = quarters * QUARTER_US
    return time_us + (_local_us(utc, time_zone) - utc)[inverse]


def exposure_hours(start_us: int, end_us: int, period: str, time_zone: str) -> NDArray[np.float64]:
    """How many hours of `(start, end]` fall into each period, to the quarter of an hour."""
    moments = np.arange(start_us + QUARTER_US // 2, end_us, QUARTER_US, dtype=np.int64)
    size = len(PERIOD_LABELS[period])
    return np.bincount(period_codes(moments, period, time_zone), minlength=size) / 4
