from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.events.ordering import tied, ties_broken

events = st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=12)


@given(events)
def test_ties_are_broken_by_the_columns_the_first_first(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    time_us, *columns = table.T
    order = ties_broken(np.argsort(time_us, kind="stable"), time_us, columns)
    assert table[order].tolist() == sorted(map(list, rows))


@given(events)
def test_like_events_stay_as_they_are(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    time_us, first = table[:, 0], table[:, 1]
    order = ties_broken(np.argsort(time_us, kind="stable"), time_us, [first])
    assert order.tolist() == sorted(range(len(rows)), key=lambda row: rows[row][:2])


def test_where_several_events_are_at_one_moment() -> None:
    assert tied(np.array([1, 2, 2, 2, 5, 6, 6])).tolist() == [1, 2, 3, 5, 6]
    assert tied(np.array([1, 2])).tolist() == []
    assert tied(np.array([], dtype=np.int64)).tolist() == []
