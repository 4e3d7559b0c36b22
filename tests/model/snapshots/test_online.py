"""A log with a tail reads as a log of all events does, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import Config
from model.events import EventLog, to_microseconds
from model.events.tail import LogWithTail
from model.snapshots import SnapshotPlan, SnapshotReader
from model.snapshots.online import OnlineReader, Side
from model.tasks import Occurs, PeakPeriod, Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables, same
from tests.model.snapshots.test_features import with_affinities

LEARNED = pd.Timestamp("2023-05-10 00:00", tz="UTC")
NOW = pd.Timestamp("2023-06-20 12:34:56.789", tz="UTC")
TASKS = (
    Task(name="a", entity="item", target=PeakPeriod(event_type="purchase", period="weekday")),
    Task(name="b", entity="user", target=Occurs(event_type="view"), horizon_days=7),
)


def split(seed: int, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Old events and a tail: late ones, some of new users and items, some of a new type."""
    rng = np.random.default_rng(seed)
    events = random_events(rng, events=300)
    is_new = (events["time"] > LEARNED) & (rng.random(len(events)) < share)
    tail = events[is_new].copy()
    tail.loc[tail.index[::7], "user"] = "a new user"
    tail.loc[tail.index[::5], "item"] = "a new item"
    tail.loc[tail.index[::11], "event_type"] = "wish"
    late = events[~is_new].sample(5, random_state=seed)
    return events[~is_new], pd.concat([tail, late.assign(quantity=3.0)])


def readers(
    seed: int, share: float, *, use_compiler: bool
) -> tuple[OnlineReader, LogWithTail, SnapshotReader]:
    old, new = split(seed, share)
    tables = random_tables(np.random.default_rng(0))
    base = EventLog.from_frames(old, *tables, time_zone=TIME_ZONE)
    learned = SnapshotPlan.from_log(
        base, TASKS, Config(sequence_length=9), to_microseconds(LEARNED)
    )
    plan = with_affinities(learned)
    log = LogWithTail(base, new)
    rebuilt = EventLog.from_frames(pd.concat([old, new]), *tables, time_zone=TIME_ZONE)
    online = OnlineReader(log, SnapshotReader(base, plan), use_compiler=use_compiler)
    return online, log, SnapshotReader(rebuilt, plan, use_compiler=use_compiler)


def assert_same(
    online: OnlineReader, log: LogWithTail, offline: SnapshotReader, now_us: int
) -> None:
    sides: tuple[Side, Side] = ("user", "item")
    for side in sides:
        table = offline.log.users if side == "user" else offline.log.items
        read = offline.user_inputs if side == "user" else offline.item_inputs
        for own, entity_id in enumerate(map(str, table.ids)):
            expected = read(np.array([own]), now_us)
            found, sequence = online.inputs(side, log.code(side, entity_id), now_us)
            for name in ("numbers", "categories", "item_codes", "cutoffs_us"):
                assert same(getattr(found, name), getattr(expected, name)), (entity_id, name)
            arrays = offline.arrays(expected)
            for name in ("items", "types", "gaps", "amounts"):
                assert same(getattr(sequence, name), arrays[name]), (entity_id, name)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.6, 1.0]), st.booleans())
def test_a_log_with_a_tail_reads_as_one_of_all_events(
    seed: int, share: float, use_compiler: bool
) -> None:
    now_us = to_microseconds(NOW)
    assert_same(*readers(seed, share, use_compiler=use_compiler), now_us)


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_after_now_is_not_seen(seed: int) -> None:
    online, log, offline = readers(seed, 0.6, use_compiler=True)
    assert_same(online, log, offline, to_microseconds(LEARNED + pd.Timedelta(days=9)))
