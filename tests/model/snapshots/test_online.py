"""A log with a tail reads as a log of all events does, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import Config
from model.events import EventLog, to_microseconds
from model.events.storage import write_log
from model.events.tail import LogWithTail
from model.snapshots import Inputs, OnlineReader, Rows, SnapshotPlan, SnapshotReader
from model.tasks import EntityKind, Occurs, PeakPeriod, Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables, same
from tests.model.snapshots.test_features import with_affinities

LEARNED = pd.Timestamp("2023-05-10 00:00", tz="UTC")
Longs = npt.NDArray[np.int64]
KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")
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
    seed: int,
    share: float,
    *,
    use_compiler: bool,
    folder: Path | None = None,
    has_year_ago: bool = False,
) -> tuple[OnlineReader, LogWithTail, SnapshotReader]:
    """With a folder the old events are stored there."""
    old, new = split(seed, share)
    tables = random_tables(np.random.default_rng(0))
    base = EventLog.from_frames(old, *tables, time_zone=TIME_ZONE)
    if folder is not None:
        write_log(base, folder, ())
        base = EventLog.open(folder)
    learned = SnapshotPlan.from_log(
        base, TASKS, Config(sequence_length=9), to_microseconds(LEARNED)
    )
    plan = with_year_ago(with_affinities(learned), has_year_ago)
    half = len(new) // 2
    log = LogWithTail(base, new.iloc[:half]).with_events(new.iloc[half:])
    rebuilt = EventLog.from_frames(pd.concat([old, new]), *tables, time_zone=TIME_ZONE)
    online = OnlineReader(SnapshotReader(base, plan), use_compiler=use_compiler)
    return online, log, SnapshotReader(rebuilt, plan, use_compiler=use_compiler)


def with_year_ago(plan: SnapshotPlan, has_year_ago: bool) -> SnapshotPlan:
    """As if it had been learned from two years."""
    update = {"has_year_ago": has_year_ago}
    sides = {"users": plan.users, "items": plan.items}
    return plan.model_copy(
        update={name: side.model_copy(update=update) for name, side in sides.items()}
    )


def asked(
    log: LogWithTail, offline: SnapshotReader, kind: EntityKind, rng: np.random.Generator
) -> tuple[Longs | None, Longs | None, Longs | None, Longs | None]:
    """Users and items in the codes of the tailed log, then in those of the rebuilt one."""
    users, items = (np.arange(len(table)) for table in (offline.log.users, offline.log.items))
    if kind == "pair":
        users, items = rng.choice(users, 60), rng.choice(items, 60)
    own_users = log.codes("user", [str(offline.log.users.ids[code]) for code in users])
    own_items = log.codes("item", [str(offline.log.items.ids[code]) for code in items])
    match kind:
        case "user":
            return own_users, None, users, None
        case "item":
            return None, own_items, None, items
        case "pair":
            return own_users, own_items, users, items


def offline_inputs(
    offline: SnapshotReader, kind: EntityKind, users: Longs | None, items: Longs | None, at_us: int
) -> Inputs:
    if users is None:
        assert items is not None
        return offline.item_inputs(items, at_us)
    return (
        offline.user_inputs(users, at_us)
        if items is None
        else offline.pair_inputs(users, items, at_us)
    )


def assert_same(
    online: OnlineReader, log: LogWithTail, offline: SnapshotReader, now_us: int, kind: EntityKind
) -> None:
    users, items, *rebuilt = asked(log, offline, kind, np.random.default_rng(0))
    expected = offline_inputs(offline, kind, *rebuilt, now_us)
    found = online.read(log, Rows.of(kind, users, items, now_us))
    arrays = offline.arrays(expected)
    for name, array in found.arrays.items():
        assert same(array, arrays[name]), name
    one_by_one = [
        online.read(
            log,
            Rows.of(
                kind,
                None if users is None else users[row : row + 1],
                None if items is None else items[row : row + 1],
                now_us,
            ),
        )
        for row in range(len(found))
    ]
    for name, array in found.arrays.items():
        assert same(np.concatenate([one.arrays[name] for one in one_by_one]), array), name
    sides = offline.items if kind == "item" else offline.users
    codes = expected.items if kind == "item" else expected.users
    assert same(found.is_cold, sides.index.position(codes, now_us) == sides.index.offsets[codes])


@settings(max_examples=15)
@given(
    st.integers(0, 10_000), st.sampled_from([0.1, 0.6, 1.0]), st.booleans(), st.sampled_from(KINDS)
)
def test_a_log_with_a_tail_reads_as_one_of_all_events(
    seed: int, share: float, use_compiler: bool, kind: EntityKind
) -> None:
    now_us = to_microseconds(NOW)
    assert_same(*readers(seed, share, use_compiler=use_compiler), now_us, kind)


@pytest.mark.parametrize("use_compiler", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.6])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_log_reads_alike_however_many_are_asked_at_a_time(
    kind: EntityKind, share: float, use_compiler: bool, tmp_path: Path
) -> None:
    read = readers(5, share, use_compiler=use_compiler, folder=tmp_path)
    assert_same(*read, to_microseconds(NOW), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_too_many_events_for_the_room_is_read_alike(
    kind: EntityKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.entity_room.ROOM_EVENTS", 8)
    read = readers(5, 0.02, use_compiler=True, folder=tmp_path)
    assert_same(*read, to_microseconds(NOW), kind)


def test_stamps_begin_again_before_they_run_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.snapshots.one_row_features._MOST_STAMPS", 3)
    read = readers(5, 0.0, use_compiler=True, folder=tmp_path)
    assert_same(*read, to_microseconds(NOW), "user")


def test_what_was_read_stays_as_it_is_when_the_next_one_is_read(tmp_path: Path) -> None:
    online, log, _ = readers(5, 0.0, use_compiler=True, folder=tmp_path)
    first, second = (
        Rows.of("user", np.array([code]), None, to_microseconds(NOW)) for code in (0, 1)
    )
    found = online.read(log, first)
    before = {name: array.copy() for name, array in found.arrays.items()}
    online.read(log, second)
    assert all(same(array, before[name]) for name, array in found.arrays.items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_what_comes_after_now_is_not_seen(seed: int, kind: EntityKind) -> None:
    online, log, offline = readers(seed, 0.6, use_compiler=True)
    assert_same(online, log, offline, to_microseconds(LEARNED + pd.Timedelta(days=9)), kind)


@pytest.mark.parametrize("use_compiler", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_came_a_year_ago_is_read_alike(kind: EntityKind, use_compiler: bool) -> None:
    online, log, offline = readers(1, 0.6, use_compiler=use_compiler, has_year_ago=True)
    now_us = to_microseconds(LEARNED + pd.Timedelta(weeks=50))
    assert_same(online, log, offline, now_us, kind)
    users, items, *_ = asked(log, offline, kind, np.random.default_rng(0))
    inputs = online.read(log, Rows.of(kind, users, items, now_us)).inputs
    names = [feature.name for feature in offline.features(kind)]
    of_year = [place for place, name in enumerate(names) if "events_year_ago" in name]
    assert inputs.numbers[:, of_year].any()


def test_what_came_later_is_not_seen_by_who_began_earlier() -> None:
    old, new = split(3, 0.6)
    base = EventLog.from_frames(old, *random_tables(np.random.default_rng(0)), time_zone=TIME_ZONE)
    plan = SnapshotPlan.from_log(base, TASKS, Config(), to_microseconds(LEARNED))
    online = OnlineReader(SnapshotReader(base, plan))
    before = LogWithTail(base, new.iloc[:5])
    rows = Rows.of("user", np.arange(len(base.users)), None, to_microseconds(NOW))
    then = online.read(before, rows)
    after = before.with_events(new.iloc[5:])
    again, now = online.read(before, rows), online.read(after, rows)
    assert same(then.inputs.numbers, again.inputs.numbers)
    assert not same(then.inputs.numbers, now.inputs.numbers)
    with pytest.raises(ValueError, match="added to this log before"):
        before.with_events(new)
