from __future__ import annotations

import errno
import gc
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.errors import InvalidEvents, InvalidIndex
from model.events import EventLog
from model.events.arrays import ArrayWriter
from model.events.building import BYTES_PER_EVENT, build_index
from model.events.storage import StoredLog
from tests.model.events.stored_logs import assert_same_log, slices, stored, table_of
from tests.model.made_logs import TIME_ZONE, random_events, random_tables

START = pd.Timestamp("2024-10-27T00:30Z").as_unit("us")  # clocks are set back soon

rows = st.tuples(
    st.sampled_from(["a", "b", "ü", "ab", None]),
    st.sampled_from(["x", "y", "z"]),
    st.integers(0, 6),
    st.sampled_from(["view", "purchase", "like"]),
    st.sampled_from([1.0, 2.5, None]),
    st.sampled_from([9.99, None]),
    st.sampled_from(["red", "blue", None]),
    st.sampled_from([4.0, None]),
)


def frame_of(events: list[tuple[object, ...]], *, timed: bool = True) -> pd.DataFrame:
    names = ["user", "item", "time", "event_type", "quantity", "price", "shade", "rating"]
    frame = pd.DataFrame(events, columns=names)
    texts = dict.fromkeys(("user", "item", "event_type", "shade"), "str")
    numbers = dict.fromkeys(("quantity", "price", "rating"), "float64")
    frame = frame.astype(texts | numbers)
    if not timed:
        return frame.drop(columns="time")
    return frame.assign(time=START + pd.to_timedelta(frame["time"] * 17, unit="min"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
@given(
    parts=st.lists(st.lists(rows, min_size=1, max_size=6), min_size=1, max_size=3),
    memory_events=st.integers(2, 12),
    timed=st.booleans(),
    first_parts=st.integers(0, 2),
)
def test_an_index_is_the_log_however_it_came_about(
    parts: list[list[tuple[object, ...]]], memory_events: int, timed: bool, first_parts: int
) -> None:
    """Built at once, in small pieces, or from a base that grows: the same arrays."""
    frames = [frame_of(part, timed=timed) for part in parts]
    users = pd.DataFrame({"user": ["ü", "new"], "city": ["Rom", None], "age": [30.0, np.nan]})
    expected = EventLog.from_frames(
        pd.concat(frames, ignore_index=True), users, time_zone="Europe/Berlin"
    )
    how = {"time_zone": "Europe/Berlin", "memory_bytes": memory_events * BYTES_PER_EVENT}
    tables = [table_of(frame) for frame in frames]
    with TemporaryDirectory() as name, patch("os.fsync"):  # a machine that fails is not the point
        base = None
        if first_parts:
            base = stored(iter(tables[:first_parts]), Path(name), **how)
        whole = stored(iter(tables[first_parts:]), Path(name), base=base, users=users, **how)
        assert_same_log(whole.open(), expected)


@pytest.mark.parametrize("seed", range(3))
def test_an_index_of_a_random_log(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    users, items = random_tables(rng)
    tables = slices(table_of(events), 37)
    index = stored(
        tables,
        tmp_path,
        users=users,
        items=items,
        time_zone=TIME_ZONE,
        memory_bytes=100 * BYTES_PER_EVENT,
    )
    assert_same_log(index.open(), EventLog.from_frames(events, users, items, TIME_ZONE))


def test_what_was_known_of_a_base_is_what_is_known_now(tmp_path: Path) -> None:
    old = pd.DataFrame({"user": ["a", "c"], "city": ["Rom", "Bonn"]})
    new = pd.DataFrame({"user": ["a", "b", "c"], "age": [1.0, 2.0, 3.0]})
    events = frame_of([("a", "x", 1, "view", None, None, None, None)])
    base = stored(iter([table_of(events)]), tmp_path, users=old, time_zone="UTC")
    grown = stored(iter([]), tmp_path, base=base, users=new, time_zone="UTC").open()
    assert_same_log(grown, EventLog.from_frames(events, new))


def test_a_column_that_only_new_events_have(tmp_path: Path) -> None:
    old = frame_of([("a", "x", 1, "view", None, None, None, None)]).drop(columns="rating")
    new = frame_of([("b", "x", 0, "view", None, None, "red", 5.0)]).drop(columns="shade")
    base = stored(iter([table_of(old)]), tmp_path, time_zone="UTC")
    grown = stored(iter([table_of(new)]), tmp_path, base=base, time_zone="UTC").open()
    both = pd.concat([old, new], ignore_index=True)
    assert_same_log(grown, EventLog.from_frames(both))


def test_numbers_and_texts_do_not_fit(tmp_path: Path) -> None:
    frame = frame_of([("a", "x", 1, "view", None, None, "red", 3.0)])
    base = stored(iter([table_of(frame)]), tmp_path, time_zone="UTC")
    other = frame.assign(rating="good")
    with pytest.raises(InvalidIndex, match="'rating' is of numbers"):
        stored(iter([table_of(other)]), tmp_path, base=base, time_zone="UTC")
    with pytest.raises(InvalidIndex, match="time"):
        stored(iter([table_of(frame.drop(columns="time"))]), tmp_path, base=base, time_zone="UTC")
    assert len(list(tmp_path.iterdir())) == 1, "what failed has left nothing behind"


@pytest.mark.parametrize("writes", [5, 20, 60])
def test_a_disk_that_becomes_full_leaves_no_file_open(tmp_path: Path, writes: int) -> None:
    frame = frame_of([("a", "x", 1, "view", None, None, None, None)])
    base = stored(iter([table_of(frame)]), tmp_path, time_zone="UTC")
    left = iter(range(writes))

    def append(self: ArrayWriter, entries: NDArray[Any]) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written(self, entries)

    written = ArrayWriter.append
    with patch.object(ArrayWriter, "append", append), pytest.raises(OSError, match="space"):
        stored(iter([table_of(frame)]), tmp_path, base=base, time_zone="UTC")
    gc.collect()  # a file that is still open warns now, which is an error here
    assert len(list(tmp_path.iterdir())) == 1, "what failed has left nothing behind"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": None, "item": None}, "neither a user nor an item"),
        ({"event_type": None}, "no event_type"),
        ({"time": pd.NaT}, "no time"),
        ({"price": 1e13}, "at most"),
        ({"event_type": "a\0b"}, "no name"),
    ],
)
def test_a_bad_event_is_refused(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    frame = frame_of([("a", "x", 1, "view", None, None, None, None)] * 2)
    for name, value in changes.items():
        frame.loc[1, name] = value
    with pytest.raises(InvalidEvents, match=words):
        build_index([table_of(frame)], tmp_path / "index", time_zone="UTC")
    assert not list(tmp_path.iterdir())


def test_no_events_at_all(tmp_path: Path) -> None:
    with pytest.raises(InvalidEvents, match="no events"):
        build_index([], tmp_path / "index", time_zone="UTC")


def test_who_comes_second_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    frame = frame_of([("a", "x", 1, "view", None, None, None, None)])
    path = tmp_path / "index"
    build_index([table_of(frame)], path, time_zone="UTC", made_from=("first",))
    build_index([table_of(frame)], path, time_zone="UTC", made_from=("second",))
    assert StoredLog(path).head.made_from == ("first",)
    assert [found.name for found in tmp_path.iterdir()] == ["index"]
