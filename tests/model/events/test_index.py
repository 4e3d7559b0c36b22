from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.events import EntityEvents, EventLog, PairEvents
from model.events.counting import counted, sorted_
from model.events.index import SLOT_COLUMNS
from tests.model.made_logs import random_log

FIRST_US = 1_700_000_000_000_000

steps = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), max_size=60)


def index_of(codes: NDArray[np.int32], time_us: NDArray[np.int64], entities: int) -> EntityEvents:
    rows = len(codes)
    return EntityEvents.build(
        codes,
        entities,
        np.full(rows, -1, dtype=np.int32),
        {
            "time_us": time_us,
            "event_type": np.zeros(rows, dtype=np.int16),
            "units": np.ones(rows),
            "price_cents": np.full(rows, -1, dtype=np.int64),
            "value_cents": np.zeros(rows, dtype=np.int64),
            "local_minute": np.zeros(rows, dtype=np.int32),
        },
    )


@given(steps, st.integers(-2, 100))
def test_position_splits_the_past_from_the_future(
    events: list[tuple[int, int]], cutoff_us: int
) -> None:
    time_us = FIRST_US + np.cumsum([step for step, _ in events], dtype=np.int64)
    codes = np.array([code for _, code in events], dtype=np.int32)
    index = index_of(codes, time_us, 5)
    ends = index.position(np.arange(5), FIRST_US + cutoff_us)
    for entity in range(5):
        own = np.flatnonzero(codes == entity)
        slots = slice(index.offsets[entity], index.offsets[entity + 1])
        assert index.rows[slots].tolist() == own.tolist()
        assert index.time_us[slots].tolist() == time_us[own].tolist()
        before = int((time_us[own] <= FIRST_US + cutoff_us).sum())
        assert ends[entity] == index.offsets[entity] + before


def test_each_row_has_its_own_cutoff() -> None:
    time_us = FIRST_US + np.arange(10, dtype=np.int64)
    index = index_of(np.zeros(10, dtype=np.int32), time_us, 1)
    cutoffs = FIRST_US + np.array([-1, 0, 4, 9, 10**15, -(10**15)])
    found = index.position(np.zeros(6, dtype=np.int64), cutoffs)
    assert found.tolist() == [0, 1, 5, 10, 10, 0]


def test_no_events_at_all() -> None:
    index = index_of(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64), 3)
    assert len(index) == 3
    assert index.position(np.arange(3), FIRST_US).tolist() == [0, 0, 0]


@given(st.lists(st.integers(-1, 6), max_size=80))
def test_counting_and_sorting_agree(codes: list[int]) -> None:
    for by_counting, by_sorting in zip(
        counted(np.array(codes, dtype=np.int32), 8),
        sorted_(np.array(codes, dtype=np.int32), 8),
        strict=True,
    ):
        assert by_counting.tolist() == by_sorting.tolist()
        assert by_counting.dtype == by_sorting.dtype


def assert_slots_are_the_logs(index: EntityEvents, log: EventLog, counterpart: str) -> None:
    assert index.counterpart.tolist() == getattr(log, counterpart)[index.rows].tolist()
    for name in set(SLOT_COLUMNS) - {"rows", "counterpart"}:
        column = getattr(log, name)
        assert getattr(index, name).tolist() == column[index.rows].tolist()
        assert getattr(index, name).dtype == column.dtype


@pytest.mark.parametrize("few", [0, 10**9], ids=["compiled", "in NumPy"])
@pytest.mark.parametrize("seed", range(3))
def test_slots_hold_the_columns_of_the_log(
    seed: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.counting._FEW", few)
    log = random_log(seed)
    assert_slots_are_the_logs(log.user_events, log, "item")
    assert_slots_are_the_logs(log.item_events, log, "user")
    assert_slots_are_the_logs(log.pair_events.events, log, "item")


@pytest.mark.parametrize("seed", range(3))
def test_pairs_have_the_events_of_both(seed: int) -> None:
    log = random_log(seed)
    index = log.pair_events
    users, items = np.meshgrid(np.arange(-1, len(log.users)), np.arange(-1, len(log.items)))
    codes = index.codes(users.ravel(), items.ravel())
    for user, item, code in zip(users.ravel(), items.ravel(), codes, strict=True):
        expected = np.flatnonzero((log.user == user) & (log.item == item)).tolist()
        if code < 0:
            assert not expected or min(user, item) < 0
        else:
            slots = slice(index.events.offsets[code], index.events.offsets[code + 1])
            assert index.events.rows[slots].tolist() == expected
    assert int((codes >= 0).sum()) == len(index.events)


def test_a_log_without_pairs() -> None:
    nobody = np.full(3, -1, dtype=np.int32)
    columns = {
        name: np.zeros(3, dtype=np.int64) for name in set(SLOT_COLUMNS) - {"rows", "counterpart"}
    }
    index = PairEvents.build(np.arange(3, dtype=np.int32), nobody, columns)
    assert len(index.events) == 0
    assert index.codes(np.array([0, 1]), np.array([0, -1])).tolist() == [-1, -1]
