"""Features about the time of the year and of the week: what it brought before, and where we are."""

from __future__ import annotations

from collections.abc import Iterator

from model.events import PERIOD_LABELS
from model.snapshots.features import FeaturePlan
from model.snapshots.formulas import (
    Bin,
    Declaration,
    Difference,
    Histogram,
    Log,
    Measure,
    OfCutoff,
    Share,
    Total,
)
from model.snapshots.outlook import YEAR_DAYS as WHOLE_WEEKS_DAYS
from model.snapshots.seasons import Season
from model.tasks import PeriodName

YEAR_DAYS = 365
COMING_DAYS = (28, 91)
"""How far the same time of the last year is looked ahead at."""
_PERIOD_NOUNS: dict[PeriodName, str] = {"weekday": "weekday", "month_of_year": "month"}


def a_year_ago(plan: FeaturePlan) -> Iterator[Declaration]:
    """What the days to come brought in the last year, beside what such days usually bring."""
    if not plan.has_year_ago:
        return
    for event_type in plan.event_types:
        for days in COMING_DAYS:
            yield Declaration.of(
                f"{event_type}_events_year_ago_{days}d",
                "log(1 + events)",
                f"number of {event_type} in the {days} days that came 52 weeks ago",
                Log(_coming("events", event_type, days)),
            )
        days = COMING_DAYS[0]
        yield Declaration.of(
            f"{event_type}_year_ago_ratio",
            "log ratio",
            f"number of {event_type} in the {days} days that came 52 weeks ago over what {days} "
            "days of the 52 weeks have",
            Difference(
                Log(_coming("events", event_type, days)),
                Log(Total("events", event_type, WHOLE_WEEKS_DAYS), WHOLE_WEEKS_DAYS / days),
            ),
        )
        if event_type in plan.quantity_types:
            yield Declaration.of(
                f"{event_type}_units_year_ago_{days}d",
                "log(1 + units)",
                f"units of {event_type} in the {days} days that came 52 weeks ago",
                Log(_coming("units", event_type, days)),
            )


def _coming(measure: Measure, event_type: str, days: int) -> Total:
    """A measure of the days that came 52 weeks before the cutoff."""
    return Total(measure, event_type, WHOLE_WEEKS_DAYS, WHOLE_WEEKS_DAYS - days)


def cycle_of_task(season: Season) -> Iterator[Declaration]:
    """What each period of a peak-period task brought in the last year."""
    for code, label in enumerate(PERIOD_LABELS[season.period]):
        yield Declaration.of(
            season.column(label),
            f"log(1 + {season.of})",
            f"{season.of} of {season.event_type} in {season.period} {label} of the last year",
            Log(Bin(season.histogram(YEAR_DAYS), code)),
        )


def own_season(period: PeriodName) -> Iterator[Declaration]:
    """In which periods of a cycle the past events lie."""
    labels = PERIOD_LABELS[period]
    histogram = Histogram(period, len(labels))
    noun = _PERIOD_NOUNS[period]
    for code, label in enumerate(labels):
        yield Declaration.of(
            f"share_of_{noun}_{label}",
            "share",
            f"share of all past events in {noun} {label}, one more counted in each {noun}",
            Share(histogram, code),
        )


def calendar(plan: FeaturePlan) -> Iterator[Declaration]:
    """What the cutoff alone says."""
    yield Declaration.of(
        "log_coverage",
        "log(1 + days)",
        "how much past the log has, at most a year",
        OfCutoff("log_coverage"),
    )
    if plan.has_annual_calendar:
        where = "where in the year we are"
        yield Declaration.of(
            "day_of_year_sine", "sine of an angle", where, OfCutoff("day_of_year_sine")
        )
        yield Declaration.of(
            "day_of_year_cosine", "cosine of an angle", where, OfCutoff("day_of_year_cosine")
        )
