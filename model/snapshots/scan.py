"""What a scan of events fills: where each tally stands, and the tables that it reads.

A scan totals, per row, the events of its entity in windows of days that end at the cutoff. It is
written twice, for the compiler (`scan_kernel`) and in NumPy (`scan_numpy`), and fills the same
float64 numbers bit for bit: all are sums and differences of whole numbers or of multiples of a
power of two, which are exact in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY
from model.snapshots.formulas import Bin, Histogram, One, Recent, Scalar, Since, Tally, Total

NEVER_DAYS = 3650
NEVER_US = NEVER_DAYS * MICROSECONDS_PER_DAY
RECENT_EVENTS = 50
"""How many last counterparts a scan writes down."""
NONE = -1
"""The place of a tally that nobody asks for."""

TYPED = ("events", "units", "value_cents")
UNTYPED = ("visits", "counterparts", "price_cents", "priced_events")
ONES: tuple[Scalar, ...] = get_args(Scalar)
RECENTS = ("events_30d", "since_last_us", "value_cents_365d")


class Places(NamedTuple):
    """The first column of each section of a scan, `NONE` for one that is left out.

    The sections of `TYPED` have a column per event type and bucket, those of `UNTYPED` one per
    bucket, `since` one for any type and one per type, `ones` those of `ONES`, `recent` the count
    and then those of `RECENTS`. Column 0 is always zero.
    """

    events: int
    units: int
    value_cents: int
    visits: int
    counterparts: int
    price_cents: int
    priced_events: int
    since: int
    ones: int
    recent: int


@dataclass(frozen=True)
class BinnedSection:
    """A histogram and where it stands: its total, then its bins."""

    histogram: Histogram
    place: int


@dataclass(frozen=True)
class ScanLayout:
    """Where each tally stands among the columns of a scan.

    Attributes:
        event_types: the types that are told apart.
        edges_days: ascending; a bucket ends at each, the last bucket is the rest.
        places: of the sections.
        histograms: of the binned ones.
        width: how many columns there are.
    """

    event_types: tuple[str, ...]
    edges_days: tuple[int, ...]
    places: Places
    histograms: tuple[BinnedSection, ...]
    width: int

    @classmethod
    def of(cls, event_types: tuple[str, ...], wanted: Iterable[Tally]) -> ScanLayout:
        """Room for what is wanted, and no more."""
        wanted = tuple(dict.fromkeys(wanted))
        totals = [tally for tally in wanted if isinstance(tally, Total)]
        edges = {total.window_days for total in totals if total.window_days is not None}
        edges |= {total.skip_days for total in totals if total.skip_days}
        bins = dict.fromkeys(q.histogram for q in wanted if isinstance(q, Bin))
        edges |= {histogram.window_days for histogram in bins if histogram.window_days is not None}
        buckets = len(edges) + 1
        measures = {total.measure for total in totals}
        sizes: dict[str, int] = {
            name: len(event_types) * buckets for name in TYPED if name in measures
        }
        sizes |= {name: buckets for name in UNTYPED if name in measures}
        sizes["since"] = 1 + len(event_types)
        sizes["ones"] = len(ONES)
        if any(isinstance(tally, Recent) for tally in wanted):
            sizes["recent"] = 1 + len(RECENTS)
        places, width = {}, 1
        for name in Places._fields:
            places[name] = width if name in sizes else NONE
            width += sizes.get(name, 0)
        sections = []
        for histogram in bins:
            sections.append(BinnedSection(histogram, width))
            width += 1 + histogram.width
        return cls(event_types, tuple(sorted(edges)), Places(**places), tuple(sections), width)

    @property
    def buckets(self) -> int:
        """How many stretches of days the past is cut into."""
        return len(self.edges_days) + 1

    def terms(self, tally: Tally) -> tuple[int, int]:
        """The column of a tally, and the one to take away from it (0 for none)."""
        match tally:
            case Total():
                first = self._section(tally)
                skipped = tally.skip_days
                return (
                    first + self.bucket(tally.window_days),
                    first + self.bucket(skipped) if skipped else 0,
                )
            case Since(event_type=None):
                return self.places.since, 0
            case Since(event_type=event_type):
                return self.places.since + 1 + self.event_types.index(str(event_type)), 0
            case One(what=what):
                return self.places.ones + ONES.index(what), 0
            case Bin(histogram=histogram, code=code):
                (place,) = (s.place for s in self.histograms if s.histogram == histogram)
                return place if code is None else place + 1 + code, 0
            case Recent(what=what):
                return self.places.recent + (0 if what is None else 1 + RECENTS.index(what)), 0

    def _section(self, total: Total) -> int:
        first: int = getattr(self.places, total.measure)
        if total.measure in UNTYPED:
            return first
        return first + self.event_types.index(str(total.event_type)) * self.buckets

    def bucket(self, days: int | None) -> int:
        """The last bucket of a window."""
        return len(self.edges_days) if days is None else self.edges_days.index(days)


KernelTables = tuple[
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.bool_],
    NDArray[np.int64],
    NDArray[np.int16],
    int,
    NDArray[np.int16],
]


@dataclass(frozen=True)
class ScanTables:
    """A layout and a log as arrays.

    Attributes:
        places: (sections,) as in `Places`.
        edges_us: (buckets - 1,) ascending.
        type_codes: (types of the log,) the position in the layout's types; how many those are for
            another.
        has_units: (types of the layout + 1,) whether units of such an event are a quantity.
        histograms: (histograms, 6) place, row of its table, layout's type or -1, 1 for units, how
            many buckets back, source (`BY_DAY`, `BY_HOUR`, `BY_COUNTERPART`).
        day_codes: (tables, days) the period of each local day from `first_day` on.
        counterpart_codes: (tables, counterparts) the value of an attribute, -1 for unknown.
    """

    layout: ScanLayout
    places: NDArray[np.int64]
    edges_us: NDArray[np.int64]
    type_codes: NDArray[np.int64]
    has_units: NDArray[np.bool_]
    histograms: NDArray[np.int64]
    day_codes: NDArray[np.int16]
    first_day: int
    counterpart_codes: NDArray[np.int16]

    @property
    def for_kernel(self) -> KernelTables:
        """In the order in which the compiled scan takes them."""
        return (
            self.places,
            self.edges_us,
            self.type_codes,
            self.has_units,
            self.histograms,
            self.day_codes,
            self.first_day,
            self.counterpart_codes,
        )


BY_DAY, BY_HOUR, BY_COUNTERPART = 0, 1, 2


@dataclass(frozen=True)
class ScanRows:
    """R stretches of events to walk through, backwards from `ends` to `starts`."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    cutoffs_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, part: slice | NDArray[np.int64]) -> ScanRows:
        """Some of them."""
        return ScanRows(self.starts[part], self.ends[part], self.cutoffs_us[part])


@dataclass(frozen=True)
class Scanned:
    """What a scan found.

    Attributes:
        totals: (R, width) as the layout says.
        recent: (R, `RECENT_EVENTS`) the counterparts of the last events, newest first, -1 for none;
            None where nobody asks for them.
    """

    totals: NDArray[np.float64]
    recent: NDArray[np.int32] | None
