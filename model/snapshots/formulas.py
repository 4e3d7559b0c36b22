"""What a feature is: a name, a unit, a meaning, and a formula over what a scan of events totals.

A `Tally` is a plain total over an entity's past, exact and the same however it is summed; a
`Formula` makes it a number that a network can read. Both backends of the scan fill the same
tallies, and the formulas are worked out by the same code for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from model.tasks import EntityKind, PeriodName


@dataclass(frozen=True)
class Feature:
    """One declared column: what it means and in which unit."""

    name: str
    unit: str
    meaning: str


# Tallies: what one walk through an entity's past gives ----------------------------------------

Measure = Literal[
    "events",
    "units",
    "value_cents",
    "visits",
    "counterparts",
    "price_cents",
    "priced_events",
]
Scalar = Literal[
    "since_first_us",
    "gap_days",
    "gap_squares",
    "last_gap_days",
    "last_price_cents",
    "least_price_cents",
    "greatest_price_cents",
    "last_units",
    "greatest_units",
]


@dataclass(frozen=True)
class Total:
    """A measure summed over the window of days that ends `skip_days` before the cutoff.

    Visits (local days with an event, each at its last event), different counterparts (each at its
    last meeting) and prices are of events of any type: their `event_type` is None.
    """

    measure: Measure
    event_type: str | None = None
    window_days: int | None = None
    skip_days: int = 0


@dataclass(frozen=True)
class Since:
    """Microseconds since the last event of a type (None: of any), `NEVER_DAYS` for none."""

    event_type: str | None = None


@dataclass(frozen=True)
class One:
    """A single number about all of the past; NaN where there is nothing to say it of.

    `gap_days` and `gap_squares` are the sums of the days between visits and of their squares.
    Units are those of the event types that have quantities.
    """

    what: Scalar


@dataclass(frozen=True)
class Histogram:
    """Events or units by the period of their local time, or by an attribute of the counterpart.

    Attributes:
        by: a period of the calendar, or an attribute.
        width: how many bins.
        attribute: the counterpart's attribute, where that is what is binned.
        event_type: only these events; None for all.
        of: what is counted; units below zero (returns booked under the same type) count as none.
        window_days: how far back; None for all the past.
    """

    by: PeriodName | Literal["attribute"]
    width: int
    attribute: str | None = None
    event_type: str | None = None
    of: Literal["events", "units"] = "events"
    window_days: int | None = None


@dataclass(frozen=True)
class Bin:
    """One bin of a histogram; None for everything that was counted, unknown values included."""

    histogram: Histogram
    code: int | None


@dataclass(frozen=True)
class Recent:
    """Something about the counterparts of the last events, summed; None: how many there are."""

    what: Literal["events_30d", "since_last_us", "value_cents_365d"] | None


Tally = Total | Since | One | Bin | Recent

# Formulas: how a tally is read ----------------------------------------------------------------


@dataclass(frozen=True)
class Log:
    """log(1 + tally / divisor), with the tally's sign."""

    tally: Tally
    divisor: float = 1.0


@dataclass(frozen=True)
class MeanLog:
    """log(1 + mean), with the mean's sign: (of - less) / (count - spare) / divisor.

    NaN where the count is not above `spare`.
    """

    of: Tally
    count: Tally
    divisor: float = 1.0
    less: Tally | None = None
    spare: int = 0


@dataclass(frozen=True)
class DeviationLog:
    """log(1 + standard deviation) from a sum, a sum of squares and a count less `spare`."""

    squares: Tally
    of: Tally
    count: Tally
    spare: int = 0


@dataclass(frozen=True)
class Difference:
    """One logarithm less another: the logarithm of a ratio."""

    left: Log | MeanLog
    right: Log | MeanLog


@dataclass(frozen=True)
class Share:
    """(bin + 1) / (all + bins): a bin's share, even for nobody, near its own for many events."""

    histogram: Histogram
    code: int


@dataclass(frozen=True)
class Attribute:
    """A number of the entity's table, as given; NaN where missing."""

    name: str


@dataclass(frozen=True)
class OfCutoff:
    """What the calendar says of the cutoff, the same for everybody."""

    what: Literal["log_coverage", "day_of_year_sine", "day_of_year_cosine"]


Logarithm = Log | MeanLog | DeviationLog
Formula = Logarithm | Difference | Share | Attribute | OfCutoff


@dataclass(frozen=True)
class Declaration:
    """A feature and how it is computed."""

    feature: Feature
    formula: Formula

    @classmethod
    def of(cls, name: str, unit: str, meaning: str, formula: Formula) -> Declaration:
        """A feature by its name, unit and meaning."""
        return cls(Feature(name, unit, meaning), formula)


def tallies(formula: Formula) -> tuple[Tally, ...]:
    """What a formula needs from the scan."""
    match formula:
        case Log(tally=tally):
            return (tally,)
        case MeanLog(of=of, count=count, less=less):
            return (of, count) if less is None else (of, count, less)
        case DeviationLog(squares=squares, of=of, count=count):
            return (squares, of, count)
        case Difference(left=left, right=right):
            return (*tallies(left), *tallies(right))
        case Share(histogram=histogram, code=code):
            return (Bin(histogram, code), Bin(histogram, None))
        case _:
            return ()


def look_at_counterparts(declarations: Iterable[Declaration]) -> bool:
    """Whether a formula needs what is known of the counterparts."""
    needed = (tally for d in declarations for tally in tallies(d.formula))
    return any(isinstance(tally, Recent) and tally.what for tally in needed)


def of_owner(owner: EntityKind, feature: Feature) -> Feature:
    """A pair's feature that is its user's or its item's."""
    return Feature(f"{owner}_{feature.name}", feature.unit, f"of the {owner}: {feature.meaning}")
