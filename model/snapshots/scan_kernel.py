"""The scan for the compiler: one walk through the events of an entity fills all its rows.

Rows of one entity that follow each other, cutoffs ascending, are filled together. The walk goes
forward and keeps running totals; where a row's window opens they are taken down, where it closes
what was taken down is taken away: the sums are exact, so this is what adding up the window's events
gives. An event is the first with its counterpart in those windows that opened since the last one;
a stamp per counterpart tells which these are, and only the first and the last of them are written
down.
"""

# R = rows, E = events, B = buckets, T = event types, H = histograms, D = days, C = counterparts

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as

Longs = NDArray[np.int64]

BORDER_BITS = 16
"""So many bits of a stamp say how many windows had opened or closed."""

MAX_TOGETHER = 32
"""Rows of an entity that are filled together."""

PLACE = np.uintp
"""Where it is read and written most, a place is unsigned: else it might count from the end, and the
compiler has to ask. It costs a quarter of the time."""

_AFTER_ALL_US = np.int64(2**63 - 1)

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
        "Array(int64, 1, 'C')",
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
    stamps_C: Longs,
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
        stamps_C: no entry is above `stamp << BORDER_BITS`, nor will be above that of `stamp + R`.
        stamp: of the rows before.
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
    width = totals_RQ.shape[1]
    binned = histograms_H6[0, 0] if len(histograms_H6) else width
    # What has been seen so far: running totals, which a border takes down.
    events_T, values_T, units_T = np.zeros(types), np.zeros(types), np.zeros(types)
    last_us_T = np.zeros(types, dtype=np.int64)
    bins = np.zeros(width - binned)
    # Borders: where a window of a row opens (bucket below `edges`) or closes (`edges`).
    room = buckets
    border_us, border_row = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
    border_bucket = np.zeros(room, dtype=np.int64)
    # Where first meetings begin and end to count, and how many do for each border.
    firsts, meetings = np.zeros(room + 1), np.zeros(room + 1)
    rows = len(starts_R)
    group = 0
    known_first, known_rows = 0, 0
    while group < rows:
        for one in range(3, 9):
            totals_RQ[group, at_ones + one] = np.nan
        for kind in range(types + 1):
            totals_RQ[group, at_since + kind] = never_us
        start = starts_R[group]
        if ends_R[group] <= start:
            group += 1
            continue
        behind = group + 1
        while (
            behind < min(rows, group + MAX_TOGETHER)
            and starts_R[behind] == start
            and ends_R[behind] >= ends_R[behind - 1]
            and cutoffs_us_R[behind] >= cutoffs_us_R[behind - 1]
        ):
            for one in range(3, 9):
                totals_RQ[behind, at_ones + one] = np.nan
            for kind in range(types + 1):
                totals_RQ[behind, at_since + kind] = never_us
            behind += 1
        together = behind - group
        borders = together * buckets
        is_known = together == known_rows
        for r in range(together):
            if not is_known:
                break
            is_known = cutoffs_us_R[group + r] == cutoffs_us_R[known_first + r]
        if not is_known:
            if borders > room:
                room = 2 * borders
                border_us = np.zeros(room, dtype=np.int64)
                border_row = np.zeros(room, dtype=np.int64)
                border_bucket = np.zeros(room, dtype=np.int64)
                firsts, meetings = np.zeros(room + 1), np.zeros(room + 1)
            # Each row's borders are in order already; rows are put in one after the other.
            filled = 0
            for r in range(together):
                for back in range(buckets):
                    bucket = edges - 1 - back if back < edges else edges
                    at_us = cutoffs_us_R[group + r]
                    if bucket < edges:
                        at_us -= edges_us[bucket]
                    place = filled
                    while place > 0 and border_us[place - 1] > at_us:
                        border_us[place] = border_us[place - 1]
                        border_row[place] = border_row[place - 1]
                        border_bucket[place] = border_bucket[place - 1]
                        place -= 1
                    border_us[place] = at_us
                    border_row[place] = r
                    border_bucket[place] = bucket
                    filled += 1
        known_first, known_rows = group, together
        stamped = (stamp + 1 + group) << BORDER_BITS
        events_T[:] = 0.0
        values_T[:] = 0.0
        units_T[:] = 0.0
        bins[:] = 0.0
        firsts[: borders + 1] = 0.0
        seen = 0  # a bit per type
        crossed = 0
        openings, prices, priced, everybody = 0.0, 0.0, 0.0, 0.0
        gaps, squares, last_gap = 0.0, 0.0, np.nan
        met_here = 0.0  # since the last border: first meetings that stop to count behind the next
        next_us = border_us[0]
        last_price, least_price, greatest_price = np.nan, np.nan, np.nan
        last_units, greatest_units = np.nan, np.nan
        day, before_us = np.int64(local_minute_E[start] // 1440), time_us_E[start]
        until = ends_R[behind - 1]
        for slot in range(start, until + 1):
            is_event = slot < until
            event = PLACE(slot)
            opens_day = False
            at_us = _AFTER_ALL_US
            new_day = day
            if is_event:
                at_us = time_us_E[event]
                new_day = local_minute_E[event] // 1440
                opens_day = slot == start or new_day != day
            while at_us > next_us:
                row = PLACE(group + border_row[PLACE(crossed)])
                bucket = border_bucket[PLACE(crossed)]
                if bucket < edges:
                    # The window holds what will have been seen at its end, less this.
                    for kind in range(types):
                        here = kind * buckets + bucket
                        if at_events >= 0:
                            totals_RQ[row, at_events + here] = -events_T[PLACE(kind)]
                        if at_values >= 0:
                            totals_RQ[row, at_values + here] = -values_T[PLACE(kind)]
                        if at_units >= 0:
                            totals_RQ[row, at_units + here] = -units_T[PLACE(kind)]
                    if at_visits >= 0:
                        # A day that began before the window counts when it goes on within.
                        goes_on = is_event and not opens_day and slot < ends_R[row]
                        totals_RQ[row, at_visits + bucket] = (1.0 if goes_on else 0.0) - openings
                    if at_prices >= 0:
                        totals_RQ[row, at_prices + bucket] = -prices
                        totals_RQ[row, at_priced + bucket] = -priced
                    if at_counterparts >= 0:
                        totals_RQ[row, at_counterparts + bucket] = crossed
                    for h in range(len(histograms_H6)):
                        if histograms_H6[h, 4] == bucket:
                            behind_h = (
                                histograms_H6[h + 1, 0] if h + 1 < len(histograms_H6) else width
                            )
                            for q in range(histograms_H6[h, 0], behind_h):
                                totals_RQ[row, q] = -bins[PLACE(q - binned)]
                elif slot > start:
                    for kind in range(types):
                        first = kind * buckets
                        for b in range(buckets):
                            if at_events >= 0:
                                totals_RQ[row, at_events + first + b] += events_T[PLACE(kind)]
                            if at_values >= 0:
                                totals_RQ[row, at_values + first + b] += values_T[PLACE(kind)]
                            if at_units >= 0:
                                totals_RQ[row, at_units + first + b] += units_T[PLACE(kind)]
                        if (seen >> kind) & 1:
                            totals_RQ[row, at_since + 1 + kind] = (
                                cutoffs_us_R[row] - last_us_T[PLACE(kind)]
                            )
                    for b in range(buckets):
                        if at_visits >= 0:
                            totals_RQ[row, at_visits + b] += openings
                        if at_prices >= 0:
                            totals_RQ[row, at_prices + b] += prices
                            totals_RQ[row, at_priced + b] += priced
                    if at_counterparts >= 0:
                        first_meetings = 0.0
                        for j in range(crossed):
                            first_meetings += firsts[PLACE(j)]
                            meetings[PLACE(j)] = first_meetings
                        for b in range(edges):
                            totals_RQ[row, at_counterparts + b] = meetings[
                                PLACE(totals_RQ[row, at_counterparts + b])
                            ]
                        totals_RQ[row, at_counterparts + edges] = everybody
                    for q in range(binned, width):
                        totals_RQ[row, q] += bins[PLACE(q - binned)]
                    totals_RQ[row, at_since] = cutoffs_us_R[row] - before_us
                    totals_RQ[row, at_ones] = cutoffs_us_R[row] - time_us_E[start]
                    totals_RQ[row, at_ones + 1] = gaps
                    totals_RQ[row, at_ones + 2] = squares
                    totals_RQ[row, at_ones + 3] = last_gap
                    totals_RQ[row, at_ones + 4] = last_price
                    totals_RQ[row, at_ones + 5] = least_price
                    totals_RQ[row, at_ones + 6] = greatest_price
                    totals_RQ[row, at_ones + 7] = last_units
                    totals_RQ[row, at_ones + 8] = greatest_units
                    if at_recent >= 0:
                        met = 0
                        back = slot - 1
                        while back >= start and met < recent_RL.shape[1]:
                            if counterpart_E[back] >= 0:
                                recent_RL[row, met] = counterpart_E[back]
                                met += 1
                            back -= 1
                        totals_RQ[row, at_recent] = met
                firsts[PLACE(crossed)] -= met_here
                met_here = 0.0
                crossed += 1
                next_us = border_us[PLACE(crossed)] if crossed < borders else _AFTER_ALL_US
            if not is_event:
                break
            before_us = at_us
            kind = type_codes[PLACE(event_type_E[event])]
            if kind < types:
                of_kind = PLACE(kind)
                events_T[of_kind] += 1.0
                values_T[of_kind] += value_cents_E[event]
                units_T[of_kind] += units_E[event]
                last_us_T[of_kind] = at_us
                seen |= 1 << kind
            if has_units[PLACE(kind)]:
                last_units = units_E[event]
                if not greatest_units >= last_units:
                    greatest_units = last_units
            gap = np.float64(new_day - day)
            gaps += gap
            squares += gap * gap
            last_gap = gap if gap != 0.0 else last_gap
            openings += 1.0 if opens_day else 0.0
            day = new_day
            if at_prices >= 0 and price_cents_E[event] >= 0:
                last_price = np.float64(price_cents_E[event])
                prices += last_price
                priced += 1.0
                if not least_price <= last_price:
                    least_price = last_price
                if not greatest_price >= last_price:
                    greatest_price = last_price
            other = counterpart_E[event]
            if other >= 0 and at_counterparts >= 0:
                # The first meeting in every window that opened since the last one.
                since = stamps_C[PLACE(other)] - stamped
                if since < 0:
                    since = 0
                    everybody += 1.0
                firsts[PLACE(since)] += 1.0
                met_here += 1.0
                stamps_C[PLACE(other)] = stamped + crossed
            for h in range(len(histograms_H6)):
                wanted = histograms_H6[h, 2]
                if wanted >= 0 and wanted != kind:
                    continue
                source = histograms_H6[h, 5]
                if source == 0:
                    known_day = min(max(new_day, first_day), last_day)
                    code = np.int64(day_codes_HD[histograms_H6[h, 1], known_day - first_day])
                elif source == 1:
                    code = np.int64(local_minute_E[event] % 1440 // 60)
                elif other < 0:
                    continue
                else:
                    code = np.int64(-1)
                    if other < codes_HC.shape[1]:  # else one that came after the tables
                        code = np.int64(codes_HC[histograms_H6[h, 1], other])
                amount = 1.0
                if histograms_H6[h, 3] == 1:
                    amount = max(units_E[event], 0.0)
                bins[histograms_H6[h, 0] - binned] += amount
                if code >= 0:
                    bins[histograms_H6[h, 0] - binned + 1 + code] += amount
        group = behind
