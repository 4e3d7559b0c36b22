"""The seasonal naive forecast of a peak period: the coming cycle will look like the last one.

With few sales or a short past the shop's own season takes over. Sales in period k are taken as
Poisson with mean M s_k e_k, where M is the entity's yearly sales, s_k the share of the period and
e_k how much of the period the past year has shown; s_k has a Gamma prior with the shop's share g_k
as its mean. The posterior mean, up to a factor, is

    s_k = (sales_k + strength * g_k) / (M * e_k + strength).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.events import MICROSECONDS_PER_DAY, PERIOD_LABELS, EventLog, exposure_hours
from model.snapshots.choices import Places
from model.snapshots.history import History
from model.snapshots.inputs import Inputs
from model.snapshots.seasons import Season, period_sales
from model.tasks import PeriodName

_YEAR_US = 365 * MICROSECONDS_PER_DAY
_SMALLEST_SHARE = 1e-4


class SeasonalNaive(BaseModel):
    """The forecast of one task: the shop's season and how many sales it is worth."""

    model_config = ConfigDict(frozen=True)

    season: Season
    shop_shares: tuple[float, ...]
    strength: float

    def log_shares(
        self, inputs: Inputs, columns: Sequence[str], log: EventLog
    ) -> NDArray[np.float32]:
        """The forecast of each row.

        Args:
            inputs: R rows.
            columns: the names of `inputs.numbers`.
            log: says since when there is a past.

        Shape:
            returns: (R, periods) log shares
        """
        names = [self.season.column(label) for label in PERIOD_LABELS[self.season.period]]
        first = columns.index(names[0])
        sales = np.expm1(inputs.numbers[:, first : first + len(names)].astype(np.float64))
        exposure = _past_exposure(inputs.cutoffs_us, self.season, log)
        shop = np.asarray(self.shop_shares)
        yearly = sales.sum(axis=1) / np.maximum((exposure * shop).sum(axis=1), 1e-3)
        shares = (sales + self.strength * shop) / (yearly[:, None] * exposure + self.strength)
        shares = np.maximum(shares / shares.sum(axis=1, keepdims=True), _SMALLEST_SHARE)
        log_shares: NDArray[np.float32] = np.log(shares).astype(np.float32)
        return log_shares


def _past_exposure(
    cutoffs_us: NDArray[np.int64], season: Season, log: EventLog
) -> NDArray[np.float64]:
    """(R, periods) how much of each period lies in the year before the cutoff and in the log."""
    distinct, inverse = np.unique(cutoffs_us, return_inverse=True)
    rows = []
    for cutoff_us in distinct.tolist():
        start_us = max(cutoff_us - _YEAR_US, log.first_us)
        rows.append(_share_seen(start_us, cutoff_us, season.period, log.time_zone))
    periods = len(PERIOD_LABELS[season.period])
    return np.array(rows).reshape(-1, periods)[inverse]


@lru_cache(maxsize=256)
def _share_seen(
    start_us: int, cutoff_us: int, period: PeriodName, time_zone: str
) -> NDArray[np.float64]:
    """(periods,) how much of each period of the year before the cutoff lies after the start."""
    whole = exposure_hours(cutoff_us - _YEAR_US, cutoff_us, period, time_zone)
    seen = exposure_hours(start_us, cutoff_us, period, time_zone)
    return np.divide(seen, whole, out=np.zeros_like(seen), where=whole > 0)


def shop_shares(
    history: History, choice: Places, season: Season, until_us: int
) -> NDArray[np.float64]:
    """(periods,) the season of all entities together up to a time, per hour of the period.

    A period that the log has not shown yet gets the mean.

    Args:
        history: whose slots are looked at.
        choice: the slots of the sales that the task looks at: its conditions hold here too.
        season: which periods, and what is counted.
        until_us: no event after it is looked at.
    """
    log = history.log
    sales = period_sales(history, choice, season, log.first_us - 1, until_us)
    seen = exposure_hours(log.first_us, until_us, season.period, log.time_zone)
    cycle = exposure_hours(until_us - _YEAR_US, until_us, season.period, log.time_zone)
    # A period seen for less than a tenth is as good as not seen.
    known = seen > 0.1 * cycle
    rate = np.divide(sales, seen, out=np.zeros_like(seen), where=known)
    mean_rate = rate[known].mean() if known.any() and rate[known].sum() > 0 else 1.0
    sold = np.where(known, np.maximum(rate, 0.01 * mean_rate), mean_rate) * cycle
    shares: NDArray[np.float64] = sold / sold.sum()
    return shares
