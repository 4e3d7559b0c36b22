"""Features and labels by slow, plain pandas, written from their meanings alone.

Each looks at one entity at a time and filters the whole frame of events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from model.snapshots import Season
from model.snapshots.features import FeaturePlan
from model.tasks import Task

NEVER_DAYS = 3650.0
NAN = math.nan
DAY = pd.Timedelta(days=1)
PERIODS = {
    "month_of_year": range(1, 13),
    "iso_week": range(1, 54),
    "weekday": range(1, 8),
    "hour": range(24),
}


@dataclass(frozen=True)
class Oracle:
    """A log as frames: `events` has `user`, `item`, `time` (UTC) and the amounts."""

    events: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    time_zone: str

    def past(self, entity: str, key: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        own = self.events[self.events[entity] == key]
        known = own[own["time"] <= cutoff]
        what = known[["time", "user", "item", "event_type"]].assign(
            units=units(known),
            price=known["price"].fillna(-1),
            value=(known["quantity"] * known["price"]).fillna(0),
        )
        return known.loc[what.sort_values(list(what), na_position="first").index]

    def features(
        self, plan: FeaturePlan, key: str, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        past = self.past(plan.entity, key, cutoff)
        for event_type in plan.event_types:
            own = past[past["event_type"] == event_type]
            yield f"{event_type}_recency", math.log1p(recency_days(own, cutoff))
            for name, number in self._of_type(plan, own, cutoff):
                yield f"{event_type}_{name}", number
            yield f"{event_type}_value_mean", log_amount(value(own) / len(own)) if len(own) else NAN
            yield f"{event_type}_units_mean", log_amount(units(own).mean())
        yield from self._of_all(plan, past, cutoff)
        yield from self._amounts(plan, past)
        yield from self._shares(plan, past, cutoff)
        yield from self._recent(plan, past, cutoff)
        for season in plan.seasons:
            yield from self._season(season, past, cutoff)
        for name in plan.numbers:
            table = self.tables[plan.entity]
            known = table.loc[table[plan.entity] == key, name]
            yield f"attribute_{name}", known.iloc[-1] if len(known) else math.nan
        covered = (cutoff - self.events["time"].min()) / DAY
        yield "log_coverage", math.log1p(min(covered, 365))

    def _of_type(
        self, plan: FeaturePlan, own: pd.DataFrame, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        for days in plan.windows_days:
            inside = within(own, cutoff, days)
            window = "all" if days is None else f"{days}d"
            yield f"events_{window}", math.log1p(len(inside))
            if days != 7:
                yield f"value_{window}", log_amount(value(inside))
                yield f"units_{window}", log_amount(units(inside).sum())
        for short, long in ((30, 90), (90, 365)):
            if {short, long} <= set(plan.windows_days):
                recent, earlier = len(within(own, cutoff, short)), len(within(own, cutoff, long))
                ratio = (1 + recent) / (1 + earlier * short / long)
                yield f"trend_{short}d_{long}d", math.log(ratio)
        for week in (2, 3, 4, 5):
            inside = within(own, cutoff, 7 * week)
            inside = inside[inside["time"] <= cutoff - 7 * (week - 1) * DAY]
            yield f"events_week_{week}", math.log1p(len(inside))

    def _of_all(
        self, plan: FeaturePlan, past: pd.DataFrame, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        recency = recency_days(past, cutoff)
        tenure = (cutoff - past["time"].min()) / DAY if len(past) else 0.0
        visits = self.local_days(past).nunique()
        gap = (tenure - recency) / (visits - 1) if visits > 1 else NAN
        days = pd.Series(pd.to_datetime(sorted(set(self.local_days(past)))), dtype="datetime64[s]")
        gaps = (days.diff() / DAY).dropna()
        yield "gap_deviation", math.log1p(gaps.std(ddof=0))
        yield "gap_last", math.log1p(gaps.iloc[-1]) if len(gaps) else NAN
        yield "recency", math.log1p(recency)
        yield "tenure", math.log1p(tenure)
        yield "gap_mean", math.log1p(gap)
        yield "recency_over_gap", math.log1p(recency) - math.log1p(gap)
        other = "item" if plan.entity == "user" else "user"
        for days in plan.windows_days:
            inside = within(past, cutoff, days)
            window = "all" if days is None else f"{days}d"
            yield f"visits_{window}", math.log1p(self.local_days(inside).nunique())
            if days != 7:
                yield f"distinct_{other}s_{window}", math.log1p(inside[other].nunique())
            if days not in (7, 30):
                mean = inside["price"].mean()
                yield f"price_mean_{window}", math.log1p(mean)

    def _amounts(self, plan: FeaturePlan, past: pd.DataFrame) -> Iterator[tuple[str, float]]:
        prices = past["price"].dropna()
        yield "price_last", math.log1p(prices.iloc[-1]) if len(prices) else NAN
        yield "price_least", math.log1p(prices.min())
        yield "price_greatest", math.log1p(prices.max())
        quantities = units(past[past["event_type"].isin(plan.quantity_types)])
        yield "units_last", log_amount(quantities.iloc[-1]) if len(quantities) else NAN
        yield "units_greatest", log_amount(quantities.max())

    def _shares(
        self, plan: FeaturePlan, past: pd.DataFrame, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        local = past["time"].dt.tz_convert(self.time_zone)
        codes = {"weekday": local.dt.day_of_week + 1, "month_of_year": local.dt.month}
        for period in plan.own_periods:
            bins = PERIODS[period]
            for label in bins:
                share = (int((codes[period] == label).sum()) + 1) / (len(past) + len(bins))
                yield f"share_of_{period.removesuffix('_of_year')}_{label}", share
        other = plan.counterpart
        met = within(past, cutoff, 365).dropna(subset=[other])
        for name, values in plan.affinities.items():
            of_other = self.tables[other].set_index(other)[name].astype("str")
            known = met[other].map(of_other)
            for label in values:
                share = (int((known == label).sum()) + 1) / (len(met) + len(values))
                yield f"share_of_{name}_{label}", share

    def _recent(
        self, plan: FeaturePlan, past: pd.DataFrame, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        other = plan.counterpart
        met = past.dropna(subset=[other])[other].tail(50)
        theirs = {key: self.past(other, key, cutoff) for key in met.unique()}

        def mean(number: Callable[[pd.DataFrame], float]) -> float:
            known = {key: number(events) for key, events in theirs.items()}
            return math.log1p(met.map(known).mean()) if len(met) else NAN

        if plan.entity == "user":
            yield "recent_items_events_30d", mean(lambda own: len(within(own, cutoff, 30)))
        else:
            yield "recent_users_recency", mean(lambda own: recency_days(own, cutoff))
            spent = mean(lambda own: value(within(own, cutoff, 365)))
            yield "recent_users_value_365d", spent

    def _season(
        self, season: Season, past: pd.DataFrame, cutoff: pd.Timestamp
    ) -> Iterator[tuple[str, float]]:
        event_type, of, period = season.event_type, season.of, season.period
        own = within(past[past["event_type"] == event_type], cutoff, 365)
        for label, sold in self.per_period(own, of, period).items():
            yield f"{event_type}_{of}_{period}_{label}", math.log1p(sold)

    def local_days(self, events: pd.DataFrame) -> pd.Series:
        return events["time"].dt.tz_convert(self.time_zone).dt.date

    def per_period(self, events: pd.DataFrame, of: str, period: str) -> dict[int, float]:
        local = events["time"].dt.tz_convert(self.time_zone)
        codes = {
            "month_of_year": local.dt.month,
            "iso_week": local.dt.isocalendar().week,
            "weekday": local.dt.day_of_week + 1,
            "hour": local.dt.hour,
        }[period]
        amounts = units(events).clip(lower=0) if of == "units" else pd.Series(1.0, events.index)
        return {label: float(amounts[codes == label].sum()) for label in PERIODS[period]}

    def ahead(self, task: Task, key: dict[str, str], cutoff: pd.Timestamp) -> pd.DataFrame:
        """The events that a label looks at, in the order of time."""
        events = self.events
        for entity, name in key.items():
            events = events[events[entity] == name]
        if task.target.event_type is not None:
            events = events[events["event_type"] == task.target.event_type]
        start = cutoff + task.start_days * DAY
        end = start + task.horizon_days * DAY
        events = events[(events["time"] > start) & (events["time"] <= end)]
        events = events.sort_values("time", kind="stable")
        for condition in task.target.where:
            kept = [
                fulfils(value, condition.op, condition.value)
                for value in self.attribute(events, condition.attribute)
            ]
            events = events[np.array(kept, dtype=bool)]
        return events

    def attribute(self, events: pd.DataFrame, name: str) -> list[object]:
        """What each event's item, user or own column says, None where that is unknown."""
        owner, _, column = name.partition(".")
        if owner == "event":
            values = list(events[column])
        else:
            table = self.tables[owner]
            known = dict(zip(table[owner], table[column], strict=True))
            values = [known.get(key) for key in events[owner]]
        return [None if pd.isna(value) else value for value in values]

    def is_eligible(self, task: Task, key: dict[str, str], cutoff: pd.Timestamp) -> bool:
        past = self.events[self.events["time"] <= cutoff]
        for entity, name in key.items():
            past = past[past[entity] == name]
        for rule in task.eligible:
            seen = within(past, cutoff, rule.within_days)
            if rule.event_type is not None:
                seen = seen[seen["event_type"] == rule.event_type]
            if len(seen) < rule.at_least:
                return False
        return True

    def first_value(self, task: Task, key: dict[str, str], cutoff: pd.Timestamp) -> object:
        """What `next` and `column` ask for, None if no event says it."""
        ahead = self.ahead(task, key, cutoff)
        target = task.target
        name = f"event.{target.column}" if target.kind == "column" else target.of
        name = "event.event_type" if name == "event_type" else name
        known = [value for value in self.attribute(ahead, name) if value is not None]
        return known[0] if known else None

    def label(self, task: Task, key: dict[str, str], cutoff: pd.Timestamp) -> float:
        """Of every kind that is a number, units unrounded; as if all the horizon were known."""
        ahead = self.ahead(task, key, cutoff)
        match task.target.kind:
            case "occurs":
                return float(len(ahead) > 0)
            case "sum":
                return max(value(ahead), 0.0)
            case "count" if task.target.of == "events":
                return float(len(ahead))
            case "count" if task.target.of == "units":
                return max(float(units(ahead).sum()), 0.0)
            case "count":
                return float(self.local_days(ahead).nunique())
            case "time_to" if len(ahead):
                return (ahead["time"].min() - cutoff) / DAY - task.start_days
            case "time_to":
                return math.inf
        raise AssertionError(task.target.kind)


def fulfils(value: object, op: str, wanted: object) -> bool:
    if value is None:
        return False
    match op:
        case "in":
            return value in wanted  # type: ignore[operator]
        case "==":
            return value == wanted
        case "!=":
            return value != wanted
        case "<":
            return value < wanted  # type: ignore[operator]
        case "<=":
            return value <= wanted  # type: ignore[operator]
        case ">":
            return value > wanted  # type: ignore[operator]
        case ">=":
            return value >= wanted  # type: ignore[operator]
    raise AssertionError(op)


def recency_days(events: pd.DataFrame, cutoff: pd.Timestamp) -> float:
    return (cutoff - events["time"].max()) / DAY if len(events) else NEVER_DAYS


def within(events: pd.DataFrame, cutoff: pd.Timestamp, days: int | None) -> pd.DataFrame:
    return events if days is None else events[events["time"] > cutoff - days * DAY]


def units(events: pd.DataFrame) -> pd.Series:
    return events["quantity"].fillna(1.0)


def value(events: pd.DataFrame) -> float:
    """Whole cents, since money is counted in them."""
    cents = (events["quantity"] * events["price"] * 100).round().fillna(0)
    return float(cents.sum()) / 100


def log_amount(amount: float) -> float:
    return math.copysign(math.log1p(abs(amount)), amount)
