from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path
from typing import NoReturn

import pytest

from model.checkpoints import CheckpointFolder, NoCheckpoints


def kept(folder: Path) -> list[bytes]:
    return list(CheckpointFolder(folder, interval_s=60).newest_first())


def saved(folder: Path, *contents: bytes) -> CheckpointFolder:
    checkpoints = CheckpointFolder(folder, interval_s=60)
    for content in contents:
        checkpoints.save(content)
    return checkpoints


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert kept(tmp_path) == []


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    saved(tmp_path, b"one", b"", b"three")
    assert kept(tmp_path) == [b"three", b""]
    saved(tmp_path, b"four")
    assert kept(tmp_path) == [b"four", b"three"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("at", [0, 25, 60, -1])
def test_one_flipped_bit_is_noticed_and_the_one_before_is_taken(tmp_path: Path, at: int) -> None:
    saved(tmp_path, b"one" * 100, b"two" * 100)
    newest = max(tmp_path.iterdir())
    damaged = bytearray(newest.read_bytes())
    damaged[at] ^= 1
    newest.write_bytes(damaged)
    assert kept(tmp_path) == [b"one" * 100]


@pytest.mark.parametrize("size", [0, 10, 100])
def test_a_file_cut_short_is_noticed(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path, b"one", b"two" * 100)
    os.truncate(max(tmp_path.iterdir()), size)
    with caplog.at_level(logging.WARNING):
        assert kept(tmp_path) == [b"one"]
    assert "000002.checkpoint is damaged" in caplog.text
    saved(tmp_path, b"three")
    assert kept(tmp_path) == [b"three", b"one"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    saved(tmp_path, b"one")
    (tmp_path / "000002.unfinished").write_bytes(b"tw")
    assert kept(tmp_path) == [b"one"]
    assert [path.name for path in tmp_path.iterdir()] == ["000001.checkpoint"]


def no_space(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_earlier_ones_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = saved(tmp_path, b"one", b"two")
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            checkpoints.save(b"three")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001.checkpoint",
        "000002.checkpoint",
    ]
    checkpoints.save(b"three")
    assert kept(tmp_path) == [b"three", b"two"]


def test_who_has_lost_the_folder_writes_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "1"
    mine.mkdir()
    checkpoints = saved(mine, b"one")
    theirs = mine.rename(tmp_path / "2")
    with pytest.raises(FileNotFoundError):
        checkpoints.save(b"two")
    assert kept(theirs) == [b"one"]
    assert list(tmp_path.iterdir()) == [theirs]


def test_one_is_due_before_the_interval_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early enough for another step and for writing, should they take twice as long as before."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    checkpoints = CheckpointFolder(tmp_path, interval_s=60)

    def due_after(step_s: float) -> bool:
        nonlocal now
        now += step_s
        return checkpoints.is_due()

    assert [due_after(10) for _ in range(4)] == [False] * 3 + [True]
    sync = os.fsync

    def slow_sync(descriptor: int) -> None:
        nonlocal now
        now += 3
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_sync)
    checkpoints.save(b"one")  # syncs the file and the folder: 6 s
    assert [due_after(5) for _ in range(7)] == [False] * 6 + [True]  # 41 s, and up to 22 more


def test_nothing_is_kept_where_nobody_asked_for_it() -> None:
    nowhere = NoCheckpoints()
    nowhere.save(b"one")
    assert not nowhere.is_due()
    assert list(nowhere.newest_first()) == []
