"""The outlook: whether more or less than usual will happen in the shop, as in earlier years.

Features say what an entity did; they do not say that Christmas comes. With one or two years of a
log no network can learn that from examples. So what the whole shop did at the same time of earlier
years moves the predictions of how much happens: with n(a, b) the visits in (a, b] to do what a
task asks about, the log ratio

    r(day) = log(n(day, day + horizon) / horizon) - log(n(day - TRAILING_DAYS, day) / TRAILING_DAYS)

is expected to be the mean r of the same day in earlier years, drawn to the mean of all days by as
much as years differ and few visits say little. Two things beyond the season are expected to last
in part: how the last `RECENT_DAYS` compare with the trailing ones, and how much more came true in
the last `LATELY_DAYS`. Added to the logit of whether something happens and to the log of how
often, r changes what is likely for all alike. In training the r that came true is added, so that
the network learns who will come, not how the shop fared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.distributions import Layout, LikelihoodName
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.tasks import EntityKind, Task

Floats = NDArray[np.float64]

TRAILING_DAYS = 90
MIN_TRAILING_DAYS = 28
SHORTEST_DAYS = 28
"""Holidays move: of earlier years a shorter window says nothing, so it is widened to both sides."""
YEAR_DAYS = 364
"""Whole weeks, so that weekdays meet weekdays."""
MAX_YEARS = 5
SEASON_VARIANCE = 0.25**2
"""Of r between the days of a year: how much of a season shops have, before theirs is seen."""
YEARS_VARIANCE = 0.15**2
"""Of r between the same days of different years."""
OVERDISPERSION = 4.0
"""How much more visits vary than if nobody's visit made another more likely."""
RECENT_DAYS = 28
LATELY_DAYS = 60
LASTING_SHARE = 0.5
"""Of the trend, and of what came true lately beyond the season: how much is expected to last."""
BOUND = 1.5
"""r differs from its mean by at most so much."""

_MOVED: Mapping[LikelihoodName, tuple[float, ...]] = {
    "bernoulli": (1.0,),
    "hurdle_negative_binomial": (1.0, 1.0, 0.0),
    "hurdle_log_normal": (1.0, 0.0, 0.0),
}
"""How far r moves each parameter; every bin of a hazard by one, others not."""


class Outlook(BaseModel):
    """What is added per day, from `first_day` (since 1970) on; nothing beyond the last one."""

    model_config = ConfigDict(frozen=True)

    first_day: int
    moves: tuple[float, ...]

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(days,) the moves."""
        return np.array(self.moves, dtype=np.float32)


@dataclass(frozen=True)
class OutlookColumns:
    """What the outlooks add to the flat parameters of a layout.

    Attributes:
        first_day: of the tables.
        tables: (days, outlooks)
        columns: the parameters that are moved.
        outlook: which table moves each of them.
    """

    first_day: int
    tables: NDArray[np.float32]
    columns: NDArray[np.int64]
    outlook: NDArray[np.int64]

    @classmethod
    def of(cls, layout: Layout, outlooks: Mapping[str, Outlook]) -> OutlookColumns | None:
        """None where nothing is moved."""
        asked: dict[str, list[int]] = {}
        for task in layout.tasks:
            key = outlook_key(task)
            if key in outlooks:
                columns = layout.columns_of(task.name)
                likelihood = layout.group(task.name).likelihood
                moved = _MOVED.get(likelihood, (1.0,) * (columns.stop - columns.start))
                asked.setdefault(key, []).extend(columns.start + np.flatnonzero(moved))
        if not asked:
            return None
        found = [outlooks[key] for key in asked]
        return cls(
            first_day=found[0].first_day,
            tables=np.stack([outlook.table for outlook in found], axis=1),
            columns=np.concatenate([np.array(columns) for columns in asked.values()]),
            outlook=np.repeat(np.arange(len(found)), [len(columns) for columns in asked.values()]),
        )

    def add_to(self, flat: NDArray[np.float32], cutoffs_us: NDArray[np.int64]) -> None:
        """Move the parameters of R rows in place."""
        if len(cutoffs_us) == 1:
            day = int(cutoffs_us[0]) // MICROSECONDS_PER_DAY - self.first_day
            flat += self._moves(day, flat.shape[1])
            return
        days = cutoffs_us // MICROSECONDS_PER_DAY - self.first_day
        if len(days) and (days == days[0]).all():
            flat += self._moves(int(days[0]), flat.shape[1])
            return
        known = (days >= 0) & (days < len(self.tables))
        moves = self.tables[days.clip(0, len(self.tables) - 1)] * known[:, None]
        flat[:, self.columns] += moves[:, self.outlook]

    def _moves(self, day: int, columns: int) -> NDArray[np.float32]:
        """(columns,) what is added on one day; kept, since most predictions are made today."""
        moves = self._kept.get(day)
        if moves is None:
            moves = np.zeros(columns, dtype=np.float32)
            if 0 <= day < len(self.tables):
                moves[self.columns] = self.tables[day, self.outlook]
            self._kept.clear()
            self._kept[day] = moves
        return moves

    @cached_property
    def _kept(self) -> dict[int, NDArray[np.float32]]:
        return {}


def outlook_key(task: Task) -> str:
    """Tasks with the same key share an outlook; empty for those that have none."""
    if task.target.kind not in {"occurs", "count", "sum", "time_to"}:
        return ""
    who = "item" if task.entity == "item" else "user"
    return f"{who}/{task.target.event_type or ''}/{task.start_days:g}/{task.horizon_days:g}"


def learn_outlooks(
    log: EventLog, tasks: Sequence[Task], label_end_us: int
) -> tuple[dict[str, Outlook], dict[str, Outlook]]:
    """What is expected of every day, and what came true where training may know it.

    What is expected of a day is made of events before it alone, except for the mean of all days,
    which is made of those before `label_end_us`.

    Returns:
        Per `outlook_key` what serves, and what training adds.
    """
    ratios = _ratios(log, tasks, label_end_us)
    expected = {key: own.expected() for key, own in ratios.items()}
    return expected, {key: own.realised(label_end_us) for key, own in ratios.items()}


def came_true(
    log: EventLog, tasks: Sequence[Task], label_end_us: int, until_us: int
) -> dict[str, Outlook]:
    """What came true until a time after that of training's labels, as training counts it."""
    ratios = _ratios(log, tasks, label_end_us)
    return {key: own.realised(until_us) for key, own in ratios.items()}


def _ratios(log: EventLog, tasks: Sequence[Task], label_end_us: int) -> dict[str, _Ratios]:
    found: dict[str, _Ratios] = {}
    if not log.has_time:
        return found
    visits: dict[tuple[EntityKind, str | None], Floats] = {}
    for task in tasks:
        key = outlook_key(task)
        if not key or key in found:
            continue
        who: EntityKind = "item" if task.entity == "item" else "user"
        asked = (who, task.target.event_type)
        if asked not in visits:
            visits[asked] = _visits(log, *asked)
        found[key] = _Ratios(visits[asked], log, task, label_end_us)
    return found


def _visits(log: EventLog, entity: EntityKind, event_type: str | None) -> Floats:
    """When, in days, each user (or item) had the first event of each day; ascending."""
    codes = log.item if entity == "item" else log.user
    chosen = codes >= 0
    if event_type is not None:
        chosen &= log.is_type(event_type)
    rows = np.flatnonzero(chosen)
    day = (log.time_us[rows] // MICROSECONDS_PER_DAY).astype(np.int64)
    _, first = np.unique(day << 32 | codes[rows], return_index=True)
    times: Floats = np.sort(log.time_us[rows[first]] / MICROSECONDS_PER_DAY)
    return times


class _Ratios:
    """The log ratios r of one outlook.

    Args:
        visits: in days, ascending.
        log: says since when there is a past, and until when it is known.
        task: horizon and start.
        label_end_us: the mean of all days is made of what came true before.
    """

    def __init__(self, visits: Floats, log: EventLog, task: Task, label_end_us: int) -> None:
        self._visits = visits
        self._first = log.first_us / MICROSECONDS_PER_DAY
        self._last = log.last_us / MICROSECONDS_PER_DAY
        self._start, self._horizon = task.start_days, task.horizon_days
        self._days = np.arange(int(self._first), int(self._last) + YEAR_DAYS + 1, dtype=float)
        self._ratio, self._noise = self._of(self._days, self._start, self._horizon)
        self._mean_until = label_end_us / MICROSECONDS_PER_DAY
        true = self._true(label_end_us)
        self._mean = float(np.nanmean(true)) if (~np.isnan(true)).any() else 0.0

    def expected(self) -> Outlook:
        """By the same day of earlier years, the trend, and what was beyond the season lately."""
        return self._outlook(self._expected_moves)

    def realised(self, until_us: int) -> Outlook:
        """What came true before a time, else what is expected."""
        moves = self._came_true(self._true(until_us))
        return self._outlook(np.where(np.isnan(moves), self._expected_moves, moves))

    def _came_true(self, ratio: Floats) -> Floats:
        """Above the mean of all days."""
        return _drawn(ratio - self._mean, self._noise)

    def _true(self, until_us: int) -> Floats:
        """The r that came true before a time, else NaN."""
        end = self._days + self._start + self._horizon
        return np.where(end <= until_us / MICROSECONDS_PER_DAY, self._ratio, np.nan)

    def _outlook(self, moves: Floats) -> Outlook:
        bounded = np.clip(moves, -BOUND, BOUND).round(4)
        return Outlook(first_day=int(self._days[0]), moves=tuple(bounded.tolist()))

    @cached_property
    def _expected_moves(self) -> Floats:
        seasonal = self._seasonal_moves()
        return seasonal + LASTING_SHARE * (self._trend() + self._beyond_lately(seasonal))

    def _trend(self) -> Floats:
        """How the last days compare with the trailing ones, beyond what the season had said.

        After the log's end as then.
        """
        now = np.minimum(self._days, np.ceil(self._last))
        window = (-RECENT_DAYS, RECENT_DAYS)
        ratio, noise = self._of(now, *window)
        known = ratio[(self._days <= self._mean_until) & ~np.isnan(ratio)]
        mean = float(known.mean()) if len(known) else 0.0
        moves = _drawn(ratio - mean, noise) - self._of_earlier_years(now, *window, mean)
        return np.nan_to_num(moves)

    def _beyond_lately(self, seasonal: Floats) -> Floats:
        """How much more came true in the last days than the season had said.

        Of the days whose windows were over on a day; a day that nothing is known of counts as 0,
        so that a young shop's surplus is small.
        """
        beyond = self._came_true(self._ratio) - seasonal
        total = np.concatenate([[0.0], np.nan_to_num(beyond).cumsum()])
        # A day's features are made of the events before it; after the log's end nothing is new.
        over = np.minimum(self._days, np.ceil(self._last)) - self._start - self._horizon
        until = np.floor(over - self._days[0]).clip(-1).astype(np.int64) + 1
        since = (until - LATELY_DAYS).clip(0)
        lately: Floats = (total[until] - total[since]) / LATELY_DAYS
        return lately

    def _seasonal_moves(self) -> Floats:
        width = max(self._horizon, SHORTEST_DAYS)
        begin = self._start + (self._horizon - width) / 2
        return self._of_earlier_years(self._days, begin, width, self._mean)

    def _of_earlier_years(self, days: Floats, begin: float, width: float, mean: float) -> Floats:
        """How far above the mean r was on the same days of earlier years, as far as they agree."""
        total, noise, years = np.zeros((3, len(days)))
        for year in range(1, MAX_YEARS + 1):
            earlier = days - year * YEAR_DAYS
            ratio, variance = self._of(earlier, begin, width)
            end = earlier + begin + width
            ratio[(end > days) | (end > self._last)] = np.nan
            there = ~np.isnan(ratio)
            total[there] += ratio[there] - mean
            noise[there] += variance[there]
            years[there] += 1
        count = np.maximum(years, 1)
        shrunk = SEASON_VARIANCE / (SEASON_VARIANCE + (YEARS_VARIANCE + noise / count) / count)
        moves: Floats = total / count * shrunk
        return moves

    def _of(self, days: Floats, begin: float, width: float) -> tuple[Floats, Floats]:
        """The log ratio of a window, that many days from some days, to the days before these.

        NaN without enough past, and its variance from few visits.
        """
        visits = self._count(days + begin, days + begin + width)
        since = np.maximum(days - TRAILING_DAYS, self._first)
        past_days = days - since
        trailing = self._count(since, days)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.log((visits + 0.5) / width) - np.log((trailing + 0.5) / past_days)
        ratio[past_days < MIN_TRAILING_DAYS] = np.nan
        return ratio, OVERDISPERSION * (1 / (visits + 0.5) + 1 / (trailing + 0.5))

    def _count(self, after: Floats, until: Floats) -> NDArray[np.int64]:
        """Visits in `(after, until]`."""
        counts: NDArray[np.int64] = np.searchsorted(
            self._visits, until, side="right"
        ) - np.searchsorted(self._visits, after, side="right")
        return counts


def _drawn(ratio: Floats, noise: Floats) -> Floats:
    """Towards nothing: few visits say little."""
    drawn: Floats = ratio * SEASON_VARIANCE / (SEASON_VARIANCE + noise)
    return drawn
