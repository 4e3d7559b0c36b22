"""Makes the tables that a scan reads beside the events: codes of types, days and counterparts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, Entities, EntityEvents, EventLog, period_codes
from model.snapshots.features import FeaturePlan
from model.snapshots.scan import (
    BY_COUNTERPART,
    BY_DAY,
    BY_HOUR,
    BinnedSection,
    ScanLayout,
    ScanTables,
)

_SPARE_DAYS = 3650
"""The calendar goes on for so long after the log's last event."""


@dataclass(frozen=True)
class Source:
    """Where the features of an entity kind come from.

    Attributes:
        log: says which types there are and what time it spans.
        events: of the entities.
        table: the entities' attributes; None where no feature needs them.
        counterparts: the attributes of the other side.
        others: the events of the other side; None where no feature needs them.
    """

    log: EventLog
    events: EntityEvents
    table: Entities | None = None
    counterparts: Entities | None = None
    others: EntityEvents | None = None


EventColumns = tuple[
    NDArray[np.int64],
    NDArray[np.int16],
    NDArray[np.int32],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int32],
]


def event_columns(events: EntityEvents) -> EventColumns:
    """The events' columns that the compiled scan reads; plain arrays, also of mapped files."""
    return (
        np.asarray(events.time_us),
        np.asarray(events.event_type),
        np.asarray(events.counterpart),
        np.asarray(events.units),
        np.asarray(events.value_cents),
        np.asarray(events.price_cents),
        np.asarray(events.local_minute),
    )


def scan_tables(layout: ScanLayout, plan: FeaturePlan, source: Source) -> ScanTables:
    """The tables for one layout and one log."""
    types = layout.event_types
    by_day = [s.histogram.by for s in layout.histograms if s.histogram.by not in _NOT_OF_DAYS]
    rows_of_day: dict[str, int] = {period: row for row, period in enumerate(dict.fromkeys(by_day))}
    attributes = [name for name in plan.affinities if _is_binned(layout, name)]
    histograms = [_histogram(layout, s, rows_of_day, attributes) for s in layout.histograms]
    first_day, day_codes = _day_codes(source.log, tuple(rows_of_day))
    return ScanTables(
        layout=layout,
        places=np.array(layout.places, dtype=np.int64),
        edges_us=np.array(layout.edges_days, dtype=np.int64) * MICROSECONDS_PER_DAY,
        type_codes=np.array(
            [types.index(n) if n in types else len(types) for n in source.log.event_types],
            dtype=np.int64,
        ),
        has_units=np.array([*(name in plan.quantity_types for name in types), False]),
        histograms=np.array(histograms, dtype=np.int64).reshape(-1, 6),
        day_codes=day_codes,
        first_day=first_day,
        counterpart_codes=_counterpart_codes(source.counterparts, plan, attributes),
    )


_NOT_OF_DAYS = ("hour", "attribute")


def _is_binned(layout: ScanLayout, attribute: str) -> bool:
    return any(section.histogram.attribute == attribute for section in layout.histograms)


def _histogram(
    layout: ScanLayout, section: BinnedSection, rows_of_day: dict[str, int], attributes: list[str]
) -> list[int]:
    """A row of `ScanTables.histograms`."""
    histogram = section.histogram
    if histogram.attribute is not None:
        table, source = attributes.index(histogram.attribute), BY_COUNTERPART
    elif histogram.by in rows_of_day:
        table, source = rows_of_day[histogram.by], BY_DAY
    else:
        table, source = 0, BY_HOUR
    types = layout.event_types
    kind = -1 if histogram.event_type is None else _code(types, histogram.event_type)
    back = layout.bucket(histogram.window_days)
    return [section.place, table, kind, int(histogram.of == "units"), back, source]


def _code(types: tuple[str, ...], name: str) -> int:
    return types.index(name) if name in types else len(types) + 1  # a type that no event has


def _day_codes(log: EventLog, periods: tuple[str, ...]) -> tuple[int, NDArray[np.int16]]:
    """The first local day, and the period of each from it on."""
    if not len(log) or not periods:
        return 0, np.zeros((max(1, len(periods)), 1), dtype=np.int16)
    first_day = log.first_us // MICROSECONDS_PER_DAY - 1
    last_day = log.last_us // MICROSECONDS_PER_DAY + _SPARE_DAYS
    days_us = np.arange(first_day, last_day + 1) * MICROSECONDS_PER_DAY
    codes = [period_codes(days_us, period, "UTC").astype(np.int16) for period in periods]
    return first_day, np.stack(codes)


def _counterpart_codes(
    table: Entities | None, plan: FeaturePlan, attributes: list[str]
) -> NDArray[np.int16]:
    """(attributes, counterparts) codes of the values that the plan knows, -1 for others."""
    if table is None or not attributes:
        return np.full((1, 1), -1, dtype=np.int16)
    codes = np.full((len(attributes), max(1, len(table))), -1, dtype=np.int16)
    for row, name in enumerate(attributes):
        if table.has(name):
            codes[row, : len(table)] = table.places_among(name, plan.affinities[name])
    return codes
