from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.events import EntityIndex, PairIndex
from tests.model.made_logs import random_events, random_log

SECOND_US = 1_000_000
FIRST_US = 1_700_000_000 * SECOND_US

moments = st.one_of(
    st.integers(0, 20).map(lambda seconds: FIRST_US + seconds * SECOND_US),
    st.integers(0, 20 * SECOND_US).map(lambda us: FIRST_US + us),
)
logs = st.lists(st.tuples(moments, st.integers(-1, 4)), max_size=40)


@given(logs, st.integers(-5, 30))
def test_position_splits_the_past_from_the_future(
    events: list[tuple[int, int]], cutoff_s: int
) -> None:
    events = sorted(events, key=lambda event: event[0])
    time_us = np.array([time for time, _ in events], dtype=np.int64)
    codes = np.array([code for _, code in events], dtype=np.int32)
    cutoff_us = FIRST_US + cutoff_s * SECOND_US
    index = EntityIndex.build(codes, 5, time_us)
    everyone = np.arange(5)
    ends = index.position(everyone, cutoff_us)
    for entity in range(5):
        own = np.flatnonzero(codes == entity)
        slots = slice(index.offsets[entity], index.offsets[entity + 1])
        assert index.rows[slots].tolist() == own.tolist()
        before = int((time_us[own] <= cutoff_us).sum())
        assert ends[entity] == index.offsets[entity] + before


def test_each_row_has_its_own_cutoff() -> None:
    time_us = FIRST_US + np.arange(10, dtype=np.int64) * SECOND_US
    index = EntityIndex.build(np.zeros(10, dtype=np.int32), 1, time_us)
    cutoffs = FIRST_US + np.array([-1, 0, 4, 9, 10**9]) * SECOND_US
    assert index.position(np.zeros(5, dtype=np.int64), cutoffs).tolist() == [0, 1, 5, 10, 10]


def test_no_events_at_all() -> None:
    index = EntityIndex.build(np.zeros(0, dtype=np.int32), 3, np.zeros(0, dtype=np.int64))
    assert len(index) == 3
    assert index.position(np.arange(3), FIRST_US).tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_have_the_events_of_both(seed: int) -> None:
    log = random_log(seed)
    index = PairIndex.build(log.user, log.item, log.time_us)
    users, items = np.meshgrid(np.arange(len(log.users)), np.arange(len(log.items)))
    codes = index.codes(users.ravel(), items.ravel())
    for user, item, code in zip(users.ravel(), items.ravel(), codes, strict=True):
        expected = np.flatnonzero((log.user == user) & (log.item == item)).tolist()
        if code < 0:
            assert not expected
        else:
            slots = slice(index.index.offsets[code], index.index.offsets[code + 1])
            assert index.index.rows[slots].tolist() == expected
    assert int((codes >= 0).sum()) == len(index.index)


def test_a_log_without_pairs() -> None:
    frame = random_events(np.random.default_rng(0))
    user = np.where(frame["item"].isna(), 0, -1).astype(np.int32)
    item = np.full(len(frame), -1, dtype=np.int32)
    index = PairIndex.build(user, item, np.zeros(len(frame), dtype=np.int64))
    assert len(index.index) == 0
    assert index.codes(np.array([0, 1]), np.array([0, 1])).tolist() == [-1, -1]
