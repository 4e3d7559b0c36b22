"""A shop's seasons: sales per month of the year, ISO week, weekday or hour."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from model.events import PERIOD_LABELS, period_codes
from model.snapshots.choices import Places
from model.snapshots.formulas import Histogram
from model.snapshots.history import Floats, History
from model.tasks import PeakPeriod, PeriodName


class Season(BaseModel):
    """A cycle whose past shares are features: those of the peak-period tasks."""

    model_config = ConfigDict(frozen=True)

    period: PeriodName
    event_type: str
    of: Literal["events", "units"]

    @classmethod
    def of_target(cls, target: PeakPeriod) -> Season:
        """The season that a target asks about."""
        return cls(period=target.period, event_type=target.event_type, of=target.of)

    def histogram(self, window_days: int) -> Histogram:
        """The past sales per period, as a scan counts them."""
        width = len(PERIOD_LABELS[self.period])
        return Histogram(
            self.period, width, event_type=self.event_type, of=self.of, window_days=window_days
        )

    def column(self, label: str) -> str:
        """The name of the feature that holds the past sales of one period."""
        return f"{self.event_type}_{self.of}_{self.period}_{label}"


def period_sales(
    history: History, sold: Places, season: Season, after_us: int, until_us: int
) -> Floats:
    """(periods,) what all entities together sold in `(after, until]`, in events or units.

    Units below zero (returns booked under the same type) count as none.

    Args:
        history: whose slots are looked at.
        sold: the slots that a target looks at.
        season: which periods, and what is counted.
        after_us: start.
        until_us: end.
    """
    index = history.index
    time_us = index.time_us[sold]
    chosen = sold[(time_us > after_us) & (time_us <= until_us)]
    codes = period_codes(index.time_us[chosen], season.period, history.log.time_zone)
    amounts = np.maximum(index.units[chosen], 0) if season.of == "units" else np.ones(len(chosen))
    periods = len(PERIOD_LABELS[season.period])
    sales: Floats = np.bincount(codes, weights=amounts, minlength=periods).astype(np.float64)
    return sales
