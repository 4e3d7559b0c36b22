"""The numeric features: each block declares its columns and fills them for some rows.

Blocks see the past through `History.start` and `History.end`, the season through `period_totals`
up to the cutoff; none can see beyond it.
Counts and amounts are given as log(1 + x): they are skewed, and ratios matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.events import (
    MICROSECONDS_PER_DAY,
    PERIOD_LABELS,
    Entities,
    to_datetime,
)
from model.snapshots.features import LAG_WEEKS, FeaturePlan
from model.snapshots.history import Floats, History, Measure, Rows
from model.snapshots.seasons import Season, period_totals

_NEVER_DAYS = 3650.0
_YEAR_DAYS = 365


@dataclass(frozen=True)
class Feature:
    """One declared column: what it means and in which unit."""

    name: str
    unit: str
    meaning: str


Column = tuple[Feature, Floats]


def declared_features(history: History, plan: FeaturePlan) -> tuple[Feature, ...]:
    """The columns of `aggregate`, in order."""
    nobody = Rows(np.zeros(0, dtype=np.int64), history.log.last_us)
    return tuple(feature for feature, _ in _columns(history, plan, nobody))


def aggregate(history: History, plan: FeaturePlan, rows: Rows) -> NDArray[np.float32]:
    """The numeric features of these rows, NaN where undefined.

    Shape:
        returns: (R, features), columns as in `declared_features`
    """
    columns = [values for _, values in _columns(history, plan, rows)]
    return np.stack(columns, axis=1).astype(np.float32)


def _columns(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    yield from _totals(history, plan, rows)
    yield from _lags(history, plan, rows)
    yield from _recencies(history, plan, rows)
    yield from _visits(history, plan, rows)
    yield from _counterparts(history, plan, rows)
    if plan.has_price:
        yield from _prices(history, plan, rows)
    for season in plan.seasons:
        yield from _season(history, season, rows)
    yield from _numbers(history, plan, rows)
    yield from _calendar(history, plan, rows)


def _window_name(days: int | None) -> str:
    return "all" if days is None else f"{days}d"


def _log1p(amounts: Floats) -> Floats:
    return np.sign(amounts) * np.log1p(np.abs(amounts))


def total(
    history: History,
    rows: Rows,
    measure: Measure,
    event_type: str | None,
    window_days: float | None,
    skip_days: float = 0,
) -> Floats:
    """A measure summed over the window of days that ends `skip_days` before the cutoff."""
    sums = history.prefix_sum(measure, event_type)
    end = history.start(rows, skip_days) if skip_days else history.end(rows)
    return sums[end] - sums[history.start(rows, window_days)]


def _totals(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    measures: list[tuple[Measure, str, float]] = [("events", "log(1 + events)", 1)]
    if plan.has_value:
        measures.append(("value_cents", "log(1 + money)", 100))
    if plan.has_quantity:
        measures.append(("units", "log(1 + units)", 1))
    for event_type in plan.event_types:
        for measure, unit, divisor in measures:
            for days in plan.windows_days:
                if measure != "events" and days == 7:
                    continue  # adds little to the number of events and overfits
                noun = measure.removesuffix("_cents")
                yield (
                    Feature(
                        f"{event_type}_{noun}_{_window_name(days)}",
                        unit,
                        f"{noun} of {event_type} in the window before the cutoff",
                    ),
                    _log1p(total(history, rows, measure, event_type, days) / divisor),
                )


def _lags(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    for event_type in plan.event_types:
        for week in LAG_WEEKS:
            yield (
                Feature(
                    f"{event_type}_events_week_{week}",
                    "log(1 + events)",
                    f"number of {event_type} in the {week}th week before the cutoff",
                ),
                _log1p(total(history, rows, "events", event_type, 7 * week, 7 * (week - 1))),
            )


def _days_since(history: History, rows: Rows, slots: NDArray[np.int64]) -> Floats:
    """Days from each slot's event to the cutoff; `_NEVER_DAYS` where it is another entity's."""
    found = slots >= history.index.offsets[rows.entities]
    if not len(history.index.time_us):
        return np.full(len(rows), _NEVER_DAYS)
    days = (rows.cutoff_us - history.index.time_us[np.maximum(slots, 0)]) / MICROSECONDS_PER_DAY
    return np.where(found, days, _NEVER_DAYS)


def recency_days(history: History, rows: Rows, event_type: str | None) -> Floats:
    """Days since the last event of a type, ten years where there was none."""
    return _days_since(history, rows, history.last_slot(event_type)[history.end(rows)])


def tenure_days(history: History, rows: Rows) -> Floats:
    """Days since the first event, 0 for an entity without one."""
    first = history.index.offsets[rows.entities]
    since = _days_since(history, rows, np.minimum(first, len(history.index.rows) - 1))
    return np.where(history.end(rows) > first, since, 0.0)


def _recencies(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    yield (
        Feature("recency", "log(1 + days)", "time since the last event"),
        np.log1p(recency_days(history, rows, None)),
    )
    yield (
        Feature("tenure", "log(1 + days)", "time since the first event"),
        np.log1p(tenure_days(history, rows)),
    )
    for event_type in plan.event_types:
        yield (
            Feature(f"{event_type}_recency", "log(1 + days)", f"time since the last {event_type}"),
            np.log1p(recency_days(history, rows, event_type)),
        )


def _visits(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    """A visit is a day with an event; gaps are the days between visits."""
    for days in plan.windows_days:
        yield (
            Feature(
                f"visits_{_window_name(days)}", "log(1 + days)", "days with an event in the window"
            ),
            np.log1p(history.active_days(None, history.start(rows, days), history.end(rows))),
        )
    yield (
        Feature("gap_mean", "log(1 + days)", "mean days between visits, NaN before the second"),
        np.log1p(_mean_gap(history, rows)),
    )
    yield (
        Feature("recency_over_gap", "log ratio", "time since the last event over the mean gap"),
        np.log1p(recency_days(history, rows, None)) - np.log1p(_mean_gap(history, rows)),
    )


def _mean_gap(history: History, rows: Rows) -> Floats:
    visits = total(history, rows, "days", None, None)
    between = tenure_days(history, rows) - recency_days(history, rows, None)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(visits > 1, np.maximum(between, 0) / (visits - 1), np.nan)


def _counterparts(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    noun = "items" if plan.entity == "user" else "users"
    distinct = history.distinct_counterparts(rows.cutoff_us)
    for days in plan.windows_days[1:]:
        yield (
            Feature(
                f"distinct_{noun}_{_window_name(days)}",
                f"log(1 + {noun})",
                f"different {noun} in the window before the cutoff",
            ),
            _log1p(distinct[history.end(rows)] - distinct[history.start(rows, days)]),
        )


def _prices(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    for days in plan.windows_days[2:]:
        yield (
            Feature(
                f"price_mean_{_window_name(days)}",
                "log(1 + money)",
                "mean price of the events in the window, NaN without one",
            ),
            _mean_price(history, rows, days),
        )


def _mean_price(history: History, rows: Rows, window_days: int | None) -> Floats:
    cents = total(history, rows, "price_cents", None, window_days)
    events = total(history, rows, "priced_events", None, window_days)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(events > 0, np.log1p(cents / 100 / events), np.nan)


def _season(history: History, season: Season, rows: Rows) -> Iterator[Column]:
    past = _season_totals(history, season, rows)
    for code, label in enumerate(PERIOD_LABELS[season.period]):
        yield (
            Feature(
                season.column(label),
                f"log(1 + {season.of})",
                f"{season.of} of {season.event_type} in {season.period} {label} of the last year",
            ),
            np.log1p(past[:, code]),
        )


def _season_totals(history: History, season: Season, rows: Rows) -> Floats:
    """(R, periods) sales per period in the year before the cutoff."""
    return period_totals(
        history,
        rows,
        season,
        rows.cutoff_us - _YEAR_DAYS * MICROSECONDS_PER_DAY,
        rows.cutoff_us,
    )


def _numbers(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    table = history.log.users if plan.entity == "user" else history.log.items
    for name in plan.numbers:
        yield (
            Feature(f"attribute_{name}", "as given", f"attribute {name}, NaN where missing"),
            _attribute(table, name)[rows.entities],
        )


def _attribute(table: Entities, name: str) -> Floats:
    if name not in table.attributes:
        return np.full(len(table), np.nan)
    numbers = pd.to_numeric(table.attributes[name], errors="coerce")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _calendar(history: History, plan: FeaturePlan, rows: Rows) -> Iterator[Column]:
    covered = (rows.cutoff_us - history.log.first_us) / MICROSECONDS_PER_DAY
    yield (
        Feature("log_coverage", "log(1 + days)", "how much past the log has, at most a year"),
        np.full(len(rows), np.log1p(np.clip(covered, 0, _YEAR_DAYS))),
    )
    if plan.has_annual_calendar:
        angle = 2 * np.pi * to_datetime(rows.cutoff_us).timetuple().tm_yday / 365.25
        for name, value in (("sine", np.sin(angle)), ("cosine", np.cos(angle))):
            yield (
                Feature(f"day_of_year_{name}", f"{name} of an angle", "where in the year we are"),
                np.full(len(rows), value),
            )
