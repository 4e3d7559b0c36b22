from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model.errors import InvalidIndex
from model.events import EventLog
from model.events.index import SLOT_COLUMNS
from model.events.storage import FEW, HEAD, StoredLog, write_log
from tests.model.events.stored_logs import assert_same_log
from tests.model.made_logs import random_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "index"
    path.mkdir()
    write_log(random_log(1), path, made_from=("one", "two"))
    return path


def test_a_log_comes_back_as_it_was(folder: Path) -> None:
    assert_same_log(EventLog.open(folder), random_log(1))
    assert StoredLog(folder).head.made_from == ("one", "two")


def test_what_is_opened_is_not_read_and_cannot_be_changed(folder: Path) -> None:
    log = EventLog.open(folder)
    for array in (log.time_us, log.local_minute, log.user_events.rows, log.pair_events.pairs):
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_the_past_of_an_opened_log(folder: Path) -> None:
    middle = int(np.median(random_log(1).time_us))
    assert_same_log(EventLog.open(folder).until(middle), random_log(1).until(middle))


def test_the_files_are_ordinary_arrays(folder: Path) -> None:
    assert np.load(folder / "log.user.npy").tolist() == random_log(1).user.tolist()


def test_a_log_without_events(tmp_path: Path) -> None:
    empty = random_log(1).until(0)
    write_log(empty, tmp_path, made_from=())
    assert_same_log(EventLog.open(tmp_path), empty)


def test_what_is_damaged_is_not_opened(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(InvalidIndex, match="build it again"):
            EventLog.open(folder)
        path.unlink()
        with pytest.raises(InvalidIndex, match="build it again"):
            EventLog.open(folder)
        path.write_bytes(whole)
    assert_same_log(EventLog.open(folder), random_log(1))


def test_another_version_is_not_opened(folder: Path) -> None:
    head = json.loads((folder / HEAD).read_text())
    (folder / HEAD).write_text(json.dumps(head | {"schema_version": 0}))
    with pytest.raises(InvalidIndex, match="version 0"):
        EventLog.open(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidIndex):
        EventLog.open(tmp_path / "nowhere")


@pytest.mark.parametrize("entities", [0, 1, 5, FEW, FEW + 1])
@pytest.mark.parametrize("name", ["user_events", "item_events"])
def test_a_few_are_read_and_many_are_mapped_and_all_are_the_same(
    folder: Path, name: str, entities: int
) -> None:
    stored, made = (getattr(log, name) for log in (EventLog.open(folder), random_log(1)))
    codes = np.random.default_rng(0).integers(-1, len(made) + 2, entities)
    assert stored.is_sooner_gathered(codes) == (entities <= FEW)
    assert not made.is_sooner_gathered(codes)
    found, expected = stored.gathered(codes), made.gathered(codes)
    for column in ("offsets", *SLOT_COLUMNS):
        assert getattr(found, column).dtype == getattr(expected, column).dtype
        assert getattr(found, column).tolist() == getattr(expected, column).tolist()
    for row, code in enumerate(codes.tolist()):
        own = slice(*found.offsets[row : row + 2])
        is_known = 0 <= code < len(made)
        slots = slice(*made.offsets[code : code + 2]) if is_known else slice(0)
        assert found.rows[own].tolist() == made.rows[slots].tolist()


@pytest.mark.parametrize("name", ["user_events", "item_events", "pair_events"])
def test_one_at_a_time_is_read_into_the_same_room(folder: Path, name: str) -> None:
    stored = getattr(EventLog.open(folder), name)
    stored = stored.events if name == "pair_events" else stored
    room = stored.one_at_a_time()
    cutoff_us = int(np.median(stored.time_us))
    for code in range(len(stored)):
        start, stop = stored.offsets[code : code + 2].tolist()
        end = room.fill(code, cutoff_us)
        assert start + end == stored.position(np.array([code]), cutoff_us)[0]
        for column in set(SLOT_COLUMNS) - {"rows"}:
            found, expected = getattr(room.events, column), getattr(stored, column)[start:stop]
            assert found.dtype == expected.dtype
            assert found[: stop - start].tolist() == expected.tolist()


def test_who_has_too_many_events_has_no_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.events.entity_room.ROOM_EVENTS", 2)
    events = EventLog.open(folder).user_events
    room = events.one_at_a_time()
    counts = np.diff(events.offsets).tolist()
    assert max(counts) > 2
    for code, count in enumerate(counts):
        assert (room.fill(code, 0) is None) == (count > 2)


@pytest.mark.parametrize("name", ["offsets", "time_us"])
def test_a_shorter_file_is_noticed_with_one_at_a_time(folder: Path, name: str) -> None:
    events = EventLog.open(folder).user_events
    room, busiest = events.one_at_a_time(), int(np.diff(events.offsets).argmax())
    with (folder / f"users.{name}.npy").open("r+b") as file:
        file.truncate(130)
    with pytest.raises(OSError, match="has become shorter"):
        room.fill(busiest, 0)


def test_a_file_that_has_become_shorter_is_noticed(folder: Path) -> None:
    events = EventLog.open(folder).user_events
    with (folder / "users.rows.npy").open("r+b") as file:
        file.truncate(200)
    with pytest.raises(OSError, match="has become shorter"):
        events.gathered(np.arange(len(events))[:FEW])
