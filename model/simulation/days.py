"""The days of a simulated shop: weekday and yearly rhythm of visits, promotions.

The calendar reaches `DAYS_BEYOND` days past the log's end, so that futures can be simulated
from any cutoff within the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from model.simulation.catalogue import CATEGORIES, YEAR_DAYS

DAYS_BEYOND = 400
DAY_US = 86_400_000_000
WEEKDAY_DEMAND = (1.05, 1.0, 0.95, 0.95, 0.9, 1.0, 1.15)
"""Visits on Monday to Sunday, relative to the mean."""
HOUR_DEMAND = (
    *(2, 1, 0.5, 0.5, 0.5, 1, 2, 4, 5, 5, 6, 6),
    *(7, 6, 5, 5, 5, 6, 7, 9, 10, 9, 6, 3),
)
"""Visits that start in each hour, UTC, in no unit."""
LAST_START_HOUR = 23.5
"""No visit starts later, so that all its events fall on the same day."""
PROMOTIONS_PER_DAY = 1 / 60
"""Chance that a category starts a promotion."""


@dataclass(frozen=True)
class Days:
    """What each day brings to all users alike. Day 0 is the first day of the log."""

    start_at: datetime
    log_days: int
    day_of_year_D: npt.NDArray[np.int64]
    demand_D: npt.NDArray[np.float64]
    """Visits, relative to an average day."""
    discount_DC: npt.NDArray[np.float64]
    """Price cut of a category on a day, 0 to 1."""

    @property
    def end_at(self) -> datetime:
        """The midnight that ends the log."""
        return self.start_at + timedelta(days=self.log_days)

    @property
    def start_us(self) -> int:
        """Microseconds from the Unix epoch to the start of day 0."""
        return (self.start_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def yearly_demand(day_of_year: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Visits relative to the year's mean: most in mid December."""
    demand: npt.NDArray[np.float64] = 1 + 0.2 * np.cos(2 * np.pi * (day_of_year - 348) / YEAR_DAYS)
    return demand


def draw_days(start_at: datetime, log_days: int, rng: np.random.Generator) -> Days:
    """Draw the calendar: promotions and each day's own noise.

    Raises:
        ValueError: `start_at` is not a midnight in UTC, or `log_days` is below one.
    """
    if start_at.utcoffset() != timedelta(0) or start_at.time() != datetime.min.time():
        raise ValueError(f"start_at must be a midnight in UTC, not {start_at.isoformat()}")
    if log_days < 1:
        raise ValueError(f"days must be at least 1, not {log_days}")
    D = log_days + DAYS_BEYOND
    dates = [start_at + timedelta(days=day) for day in range(D)]
    day_of_year_D = np.array([date.timetuple().tm_yday for date in dates])
    weekday_D = np.array([date.weekday() for date in dates])
    return Days(
        start_at=start_at,
        log_days=log_days,
        day_of_year_D=day_of_year_D,
        demand_D=yearly_demand(day_of_year_D)
        * np.array(WEEKDAY_DEMAND)[weekday_D]
        * np.exp(rng.normal(0, 0.05, D)),
        discount_DC=_draw_discounts(D, rng),
    )


def draw_start_us(size: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """When visits start, in microseconds after midnight, by the rhythm of the day."""
    cumulative = np.concatenate([[0.0], np.cumsum(HOUR_DEMAND)])
    hours = np.append(np.arange(24.0), LAST_START_HOUR)
    hour = np.interp(rng.random(size) * cumulative[-1], cumulative, hours)
    start_us: npt.NDArray[np.int64] = (hour * 3600e6).astype(np.int64)
    return start_us


def _draw_discounts(D: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    C = len(CATEGORIES)
    discount_DC = np.zeros((D, C))
    starts = np.argwhere(rng.random((D, C)) < PROMOTIONS_PER_DAY)
    lengths = rng.integers(3, 11, len(starts))
    cuts = rng.integers(2, 9, len(starts)) * 0.05
    for (day, category), length, cut in zip(starts, lengths, cuts, strict=True):
        discount_DC[day : day + length, category] = cut
    return discount_DC
