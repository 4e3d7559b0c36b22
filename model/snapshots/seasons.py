"""A shop's seasons: sales per month of the year, ISO week, weekday or hour."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from model.events import PERIOD_LABELS, period_codes
from model.snapshots.history import Floats, History, Rows
from model.tasks import PeakPeriod, PeriodName


class Season(BaseModel):
    """A cycle whose past shares are features: those of the peak-period tasks."""

    model_config = ConfigDict(frozen=True)

    period: PeriodName
    event_type: str
    of: str

    @classmethod
    def of_target(cls, target: PeakPeriod) -> Season:
        """The season that a target asks about."""
        return cls(period=target.period, event_type=target.event_type, of=target.of)

    def column(self, label: str) -> str:
        """The name of the feature that holds the past sales of one period."""
        return f"{self.event_type}_{self.of}_{self.period}_{label}"


def period_totals(
    history: History, rows: Rows, season: Season, after_us: int, until_us: int
) -> Floats:
    """(R, periods) events or units of the season's type per period in `(after, until]`.

    Units below zero (returns booked under the same type) count as none.
    """
    periods = len(PERIOD_LABELS[season.period])
    time_us = history.index.time_us
    chosen = np.flatnonzero(
        (time_us > after_us) & (time_us <= until_us) & history.is_type(season.event_type)
    )
    codes = period_codes(time_us[chosen], season.period, history.log.time_zone)
    amounts = (
        np.maximum(history.log.units[history.index.rows[chosen]], 0)
        if season.of == "units"
        else np.ones(len(chosen))
    )
    flat = np.bincount(
        history.entity[chosen] * periods + codes,
        weights=amounts,
        minlength=len(history.index) * periods,
    )
    totals: Floats = flat.astype(np.float64).reshape(-1, periods)[rows.entities]
    return totals
