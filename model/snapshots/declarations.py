"""The numeric features of users, items and pairs: each is declared once.

What is about the time of the year or of the week is declared in `declared_seasons`, the rest here.

Counts and amounts are given as log(1 + x): they are skewed, and ratios matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from model.events import MICROSECONDS_PER_DAY
from model.snapshots.column_statistics import Side
from model.snapshots.declared_seasons import (
    YEAR_DAYS,
    a_year_ago,
    calendar,
    cycle_of_task,
    own_season,
)
from model.snapshots.features import LAG_WEEKS, FeaturePlan, SnapshotPlan
from model.snapshots.formulas import (
    Attribute,
    Declaration,
    DeviationLog,
    Difference,
    Feature,
    Histogram,
    Log,
    MeanLog,
    Measure,
    One,
    Recent,
    Share,
    Since,
    Total,
    of_owner,
)
from model.snapshots.scan import RECENT_EVENTS
from model.tasks import EntityKind

PAIR_WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, None)
_CENTS = 100.0
_DAY = float(MICROSECONDS_PER_DAY)
_TRENDS_DAYS = ((30, 90), (90, 365))


def declared(plan: FeaturePlan) -> tuple[Declaration, ...]:
    """The columns of a user or an item, in order."""
    every = _every(plan)
    if plan.only is None:
        return every
    return tuple(declaration for declaration in every if declaration.feature.name in plan.only)


def _every(plan: FeaturePlan) -> tuple[Declaration, ...]:
    if not plan.has_time:
        return (*_totals(plan), *_numbers(plan))
    return (
        *_totals(plan),
        *_lags(plan),
        *_trends(plan),
        *a_year_ago(plan),
        *_recencies(plan),
        *_visits(plan),
        *_counterparts(plan),
        *_prices(plan),
        *_quantities(plan),
        *(column for season in plan.seasons for column in cycle_of_task(season)),
        *(column for period in plan.own_periods for column in own_season(period)),
        *_affinities(plan),
        *_recent(plan),
        *_numbers(plan),
        *calendar(plan),
    )


def declared_of_pairs(plan: FeaturePlan) -> tuple[Declaration, ...]:
    """What a user and an item have had with each other; `plan` is the users'.

    Nothing in a log without times: the pair of an event would always have had that event.
    """
    if not plan.has_time:
        return ()
    return tuple(column for event_type in plan.event_types for column in _pair(event_type))


def declared_features(plan: SnapshotPlan, entity: EntityKind) -> tuple[Feature, ...]:
    """The numeric features of an entity kind, in order; a pair has its user's and its item's."""
    users = [declaration.feature for declaration in declared(plan.users)]
    items = [declaration.feature for declaration in declared(plan.items)]
    match entity:
        case "user":
            return (*users, *_statistics(plan, "user"))
        case "item":
            return (*items, *_statistics(plan, "item"))
        case "pair":
            return (
                *(of_owner("user", feature) for feature in users),
                *(of_owner("item", feature) for feature in items),
                *(declaration.feature for declaration in declared_of_pairs(plan.users)),
                *_statistics(plan, "user"),
                *_statistics(plan, "item"),
            )


def _statistics(plan: SnapshotPlan, side: Side) -> Iterator[Feature]:
    for statistic in plan.statistics:
        yield from statistic.features(side)


def window_name(days: int | None) -> str:
    """How a window is called in a feature's name."""
    return "all" if days is None else f"{days}d"


def _window(days: int | None) -> str:
    return "all the past" if days is None else f"the last {days} days"


def _totals(plan: FeaturePlan) -> Iterator[Declaration]:
    measures: list[tuple[Measure, str, float]] = [("events", "log(1 + events)", 1)]
    if plan.has_value:
        measures.append(("value_cents", "log(1 + money)", _CENTS))
    if plan.has_quantity:
        measures.append(("units", "log(1 + units)", 1))
    for event_type in plan.event_types:
        for measure, unit, divisor in measures:
            for days in plan.windows_days:
                if measure != "events" and days == 7:
                    continue  # adds little to the number of events and overfits
                noun = measure.removesuffix("_cents")
                yield Declaration.of(
                    f"{event_type}_{noun}_{window_name(days)}",
                    unit,
                    f"{noun} of {event_type} in {_window(days)}",
                    Log(Total(measure, event_type, days), divisor),
                )


def _lags(plan: FeaturePlan) -> Iterator[Declaration]:
    for event_type in plan.event_types:
        for week in LAG_WEEKS:
            yield Declaration.of(
                f"{event_type}_events_week_{week}",
                "log(1 + events)",
                f"number of {event_type} in the {week}th week before the cutoff",
                Log(Total("events", event_type, 7 * week, 7 * (week - 1))),
            )


def _trends(plan: FeaturePlan) -> Iterator[Declaration]:
    for event_type in plan.event_types:
        for short, long in _TRENDS_DAYS:
            if not {short, long} <= set(plan.windows_days):
                continue
            yield Declaration.of(
                f"{event_type}_trend_{short}d_{long}d",
                "log ratio",
                f"number of {event_type} in {_window(short)} over what {short} days of "
                f"{_window(long)} have",
                Difference(
                    Log(Total("events", event_type, short)),
                    Log(Total("events", event_type, long), long / short),
                ),
            )


def _recencies(plan: FeaturePlan) -> Iterator[Declaration]:
    unit = "log(1 + days)"
    yield Declaration.of("recency", unit, "time since the last event", Log(Since(), _DAY))
    yield Declaration.of(
        "tenure", unit, "time since the first event", Log(One("since_first_us"), _DAY)
    )
    for event_type in plan.event_types:
        yield Declaration.of(
            f"{event_type}_recency",
            unit,
            f"time since the last {event_type}, ten years for never",
            Log(Since(event_type), _DAY),
        )


def _visits(plan: FeaturePlan) -> Iterator[Declaration]:
    """A visit is a day with an event; gaps are the days between visits."""
    unit = "log(1 + days)"
    for days in plan.windows_days:
        yield Declaration.of(
            f"visits_{window_name(days)}",
            unit,
            f"days with an event in {_window(days)}",
            Log(Total("visits", None, days)),
        )
    visits = Total("visits")
    mean = MeanLog(One("since_first_us"), visits, _DAY, less=Since(), spare=1)
    deviation = DeviationLog(One("gap_squares"), One("gap_days"), visits, spare=1)
    since = "NaN before the second"
    yield Declaration.of("gap_mean", unit, f"mean days between visits, {since}", mean)
    yield Declaration.of(
        "gap_deviation", unit, f"deviation of the days between visits, {since}", deviation
    )
    yield Declaration.of(
        "gap_last", unit, f"days between the last two visits, {since}", Log(One("last_gap_days"))
    )
    yield Declaration.of(
        "recency_over_gap",
        "log ratio",
        "time since the last event over the mean gap",
        Difference(Log(Since(), _DAY), mean),
    )


def _counterparts(plan: FeaturePlan) -> Iterator[Declaration]:
    for days in plan.windows_days:
        if days != 7:
            yield Declaration.of(
                f"distinct_{plan.counterpart}s_{window_name(days)}",
                f"log(1 + {plan.counterpart}s)",
                f"different {plan.counterpart}s in {_window(days)}",
                Log(Total("counterparts", None, days)),
            )


def _prices(plan: FeaturePlan) -> Iterator[Declaration]:
    if not plan.has_price:
        return
    unit = "log(1 + money)"
    for days in plan.windows_days[2:]:
        yield Declaration.of(
            f"price_mean_{window_name(days)}",
            unit,
            f"mean price of the events in {_window(days)}, NaN without one",
            MeanLog(Total("price_cents", None, days), Total("priced_events", None, days), _CENTS),
        )
    for which in ("last", "least", "greatest"):
        price = One(f"{which}_price_cents")  # type: ignore[arg-type]
        yield Declaration.of(
            f"price_{which}", unit, f"the {which} price, NaN without one", Log(price, _CENTS)
        )


def _quantities(plan: FeaturePlan) -> Iterator[Declaration]:
    for event_type in plan.event_types:
        events = Total("events", event_type)
        if plan.has_value and event_type in plan.valued_types:
            yield Declaration.of(
                f"{event_type}_value_mean",
                "log(1 + money)",
                f"mean value of a {event_type}, NaN before the first",
                MeanLog(Total("value_cents", event_type), events, _CENTS),
            )
        if plan.has_quantity and event_type in plan.quantity_types:
            yield Declaration.of(
                f"{event_type}_units_mean",
                "log(1 + units)",
                f"mean units of a {event_type}, NaN before the first",
                MeanLog(Total("units", event_type), events),
            )
    if plan.has_quantity:
        meaning = "units of an event of a type that has quantities, NaN without one"
        for which in ("last", "greatest"):
            units = One(f"{which}_units")  # type: ignore[arg-type]
            yield Declaration.of(
                f"units_{which}", "log(1 + units)", f"the {which} {meaning}", Log(units)
            )


def _affinities(plan: FeaturePlan) -> Iterator[Declaration]:
    for attribute, values in plan.affinities.items():
        histogram = Histogram("attribute", len(values), attribute=attribute, window_days=YEAR_DAYS)
        for code, value in enumerate(values):
            yield Declaration.of(
                f"share_of_{attribute}_{value}",
                "share",
                f"share of the last year's events with {plan.counterpart}s whose {attribute} is "
                f"{value}, one more counted for each value",
                Share(histogram, code),
            )


def _recent(plan: FeaturePlan) -> Iterator[Declaration]:
    those = f"of the {plan.counterpart}s of the last {RECENT_EVENTS} events"
    count = Recent(None)
    if plan.entity == "user":
        yield Declaration.of(
            "recent_items_events_30d",
            "log(1 + events)",
            f"mean number of events of anybody in the last 30 days, {those}; NaN without one",
            MeanLog(Recent("events_30d"), count),
        )
        return
    yield Declaration.of(
        "recent_users_recency",
        "log(1 + days)",
        f"mean time since their last event, {those}; NaN without one",
        MeanLog(Recent("since_last_us"), count, _DAY),
    )
    if plan.has_value:
        yield Declaration.of(
            "recent_users_value_365d",
            "log(1 + money)",
            f"mean value of all their events in the last 365 days, {those}; NaN without one",
            MeanLog(Recent("value_cents_365d"), count, _CENTS),
        )


def _numbers(plan: FeaturePlan) -> Iterator[Declaration]:
    for name in plan.numbers:
        yield Declaration.of(
            f"attribute_{name}",
            "as given",
            f"attribute {name}, NaN where missing",
            Attribute(name),
        )


def _pair(event_type: str) -> Iterator[Declaration]:
    for days in PAIR_WINDOWS_DAYS:
        yield Declaration.of(
            f"pair_{event_type}_events_{window_name(days)}",
            "log(1 + events)",
            f"{event_type} of this user with this item in {_window(days)}",
            Log(Total("events", event_type, days)),
        )
    yield Declaration.of(
        f"pair_{event_type}_recency",
        "log(1 + days)",
        f"time since this user's last {event_type} of this item, ten years for never",
        Log(Since(event_type), _DAY),
    )
