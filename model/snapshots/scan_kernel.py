"""The scan for the compiler: one walk through the events of each row.

Beside what `scan` says, two things make it fast: a counterpart's last meeting is the first time
that the walk comes across it, which a stamp per counterpart tells, and the bucket only ever grows
on the way back.
"""

# R = rows, E = events, B = buckets, T = event types, H = histograms, D = days, C = counterparts

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

Longs = NDArray[np.int64]

_READ_ONLY = "Array({}, {}, 'C', readonly=True)"
_LONGS = _READ_ONLY.format("int64", 1)
_SIGNATURE = ", ".join(
    [
        *[_LONGS] * 3,  # rows
        _LONGS,  # time_us
        _READ_ONLY.format("int16", 1),
        _READ_ONLY.format("int32", 1),
        _READ_ONLY.format("float64", 1),
        *[_LONGS] * 2,  # value and price
        _READ_ONLY.format("int32", 1),
        *[_LONGS] * 3,  # places, edges, type codes
        _READ_ONLY.format("boolean", 1),
        _READ_ONLY.format("int64", 2),
        _READ_ONLY.format("int16", 2),
        "int64",
        _READ_ONLY.format("int16", 2),
        "int64",
        "Array(int32, 1, 'C')",
        "int64",
        "Array(float64, 2, 'C')",
        "Array(int32, 2, 'C')",
    ]
)


@compiled_as(f"void({_SIGNATURE})")
def fill(  # noqa: C901 (one walk, so that an event is read once)
    starts_R: Longs,
    ends_R: Longs,
    cutoffs_us_R: Longs,
    time_us_E: Longs,
    event_type_E: NDArray[np.int16],
    counterpart_E: NDArray[np.int32],
    units_E: NDArray[np.float64],
    value_cents_E: Longs,
    price_cents_E: Longs,
    local_minute_E: NDArray[np.int32],
    places: Longs,
    edges_us: Longs,
    type_codes: Longs,
    has_units: NDArray[np.bool_],
    histograms_H6: Longs,
    day_codes_HD: NDArray[np.int16],
    first_day: int,
    codes_HC: NDArray[np.int16],
    never_us: int,
    stamps_C: NDArray[np.int32],
    stamp: int,
    totals_RQ: NDArray[np.float64],
    recent_RL: NDArray[np.int32],
) -> None:
    """Fill the rows of `totals_RQ` and `recent_RL`, which come as zeros and as -1.

    Args:
        starts_R: with `ends_R` and `cutoffs_us_R` the rows.
        ends_R: the first slot after the cutoff.
        cutoffs_us_R: of the rows.
        time_us_E: with those that follow the events in the order of slots.
        event_type_E: codes of the log.
        counterpart_E: -1 for none.
        units_E: multiples of a power of two.
        value_cents_E: money.
        price_cents_E: -1 for none.
        local_minute_E: by the shop's clocks.
        places: with those that follow as in `ScanTables`.
        edges_us: ascending.
        type_codes: the layout's type of each of the log's.
        has_units: per type of the layout.
        histograms_H6: what is binned, and how.
        day_codes_HD: periods of local days.
        first_day: the first of those.
        codes_HC: values of attributes.
        never_us: the time since what never was.
        stamps_C: no entry is above `stamp`.
        stamp: row r stamps with `stamp + 1 + r`.
        totals_RQ: zeros.
        recent_RL: of -1.
    """
    at_events, at_units, at_values = places[0], places[1], places[2]
    at_visits, at_counterparts = places[3], places[4]
    at_prices, at_priced = places[5], places[6]
    at_since, at_ones, at_recent = places[7], places[8], places[9]
    edges = len(edges_us)
    buckets = edges + 1
    types = len(has_units) - 1
    last_day = first_day + day_codes_HD.shape[1] - 1
    for r in range(len(starts_R)):
        totals = totals_RQ[r]
        cutoff_us = cutoffs_us_R[r]
        bucket = 0
        visits = 0
        visited_day = 0
        met = 0
        seen = 0  # a bit per type
        for one in range(3, 9):
            totals[at_ones + one] = np.nan
        for kind in range(types + 1):
            totals[at_since + kind] = never_us
        for slot in range(ends_R[r] - 1, starts_R[r] - 1, -1):
            age_us = cutoff_us - time_us_E[slot]
            while bucket < edges and age_us >= edges_us[bucket]:
                bucket += 1
            kind = type_codes[event_type_E[slot]]
            if kind < types:
                here = kind * buckets + bucket
                if at_events >= 0:
                    totals[at_events + here] += 1.0
                if at_values >= 0:
                    totals[at_values + here] += value_cents_E[slot]
                if at_units >= 0:
                    totals[at_units + here] += units_E[slot]
                if not (seen >> kind) & 1:
                    seen |= 1 << kind
                    totals[at_since + 1 + kind] = age_us
            if has_units[kind]:
                units = units_E[slot]
                if np.isnan(totals[at_ones + 7]):
                    totals[at_ones + 7] = units
                    totals[at_ones + 8] = units
                elif units > totals[at_ones + 8]:
                    totals[at_ones + 8] = units
            day = local_minute_E[slot] // 1440
            if visits == 0:
                totals[at_since] = age_us
            if visits == 0 or day != visited_day:
                if visits > 0:
                    gap = visited_day - day
                    if visits == 1:
                        totals[at_ones + 3] = gap
                    totals[at_ones + 1] += gap
                    totals[at_ones + 2] += gap * gap
                visits += 1
                visited_day = day
                if at_visits >= 0:
                    totals[at_visits + bucket] += 1.0
            if at_prices >= 0:
                price = price_cents_E[slot]
                if price >= 0:
                    totals[at_prices + bucket] += price
                    totals[at_priced + bucket] += 1.0
                    if np.isnan(totals[at_ones + 4]):
                        totals[at_ones + 4] = price
                        totals[at_ones + 5] = price
                        totals[at_ones + 6] = price
                    elif price < totals[at_ones + 5]:
                        totals[at_ones + 5] = price
                    elif price > totals[at_ones + 6]:
                        totals[at_ones + 6] = price
            other = counterpart_E[slot]
            if other >= 0:
                if at_counterparts >= 0 and stamps_C[other] != stamp + 1 + r:
                    stamps_C[other] = stamp + 1 + r
                    totals[at_counterparts + bucket] += 1.0
                if at_recent >= 0 and met < recent_RL.shape[1]:
                    recent_RL[r, met] = other
                    met += 1
            for h in range(len(histograms_H6)):
                wanted = histograms_H6[h, 2]
                if (wanted >= 0 and wanted != kind) or bucket > histograms_H6[h, 4]:
                    continue
                source = histograms_H6[h, 5]
                if source == 0:
                    known_day = min(max(day, first_day), last_day)
                    code = np.int64(day_codes_HD[histograms_H6[h, 1], known_day - first_day])
                elif source == 1:
                    code = np.int64(local_minute_E[slot] % 1440 // 60)
                elif other < 0:
                    continue
                else:
                    code = np.int64(codes_HC[histograms_H6[h, 1], other])
                amount = 1.0
                if histograms_H6[h, 3] == 1:
                    amount = max(units_E[slot], 0.0)
                totals[histograms_H6[h, 0]] += amount
                if code >= 0:
                    totals[histograms_H6[h, 0] + 1 + code] += amount
        if visits > 0:
            totals[at_ones] = cutoff_us - time_us_E[starts_R[r]]
        if at_recent >= 0:
            totals[at_recent] = met
        # A running sum over the buckets: what a window holds.
        for section in range(3):
            if places[section] >= 0:
                for kind in range(types):
                    first = places[section] + kind * buckets
                    for b in range(1, buckets):
                        totals[first + b] += totals[first + b - 1]
        for section in range(3, 7):
            if places[section] >= 0:
                for b in range(1, buckets):
                    totals[places[section] + b] += totals[places[section] + b - 1]
