from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.events.searching import all_together, first_after, places_from


@given(st.lists(st.lists(st.integers(-5, 5), max_size=8), min_size=1, max_size=5), st.data())
def test_the_first_event_after_a_cutoff(times: list[list[int]], data: st.DataObject) -> None:
    offsets = np.cumsum([0, *map(len, times)])
    time_us = np.array([time for own in times for time in sorted(own)], dtype=np.int64)
    entity = st.integers(0, len(times) - 1)
    rows = data.draw(st.lists(st.tuples(entity, st.integers(-6, 6)), max_size=9))
    entities = np.array([entity for entity, _ in rows], dtype=np.int64)
    cutoffs_us = np.array([cutoff for _, cutoff in rows], dtype=np.int64)
    expected = [offsets[e] + sum(time <= cutoff for time in times[e]) for e, cutoff in rows]
    assert first_after(offsets, time_us, entities, cutoffs_us).tolist() == expected
    assert all_together(offsets, time_us, entities, cutoffs_us).tolist() == expected


@given(st.lists(st.integers(-9, 9)), st.lists(st.integers(-10, 10)), st.booleans())
def test_places_in_a_list_that_ascends(some: list[int], numbers: list[int], is_long: bool) -> None:
    dtype = np.int64 if is_long else np.int32
    ascending, asked = np.array(sorted(some), dtype=dtype), np.array(numbers, dtype=dtype)
    for order in (asked, np.sort(asked)):
        found = places_from(ascending, order)
        assert found.tolist() == np.searchsorted(ascending, order).tolist()
