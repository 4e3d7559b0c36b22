from __future__ import annotations

import mmap
from pathlib import Path
from weakref import ref

import numpy as np
import pytest

from model.events import mapped_files
from model.events.mapped_files import MappedFiles

PAGES = 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "numbers"
    np.arange(PAGES * mmap.PAGESIZE // 8).tofile(found)
    return found


def test_what_is_held_beyond_the_limit_is_let_go_and_can_be_read_again(path: Path) -> None:
    files = MappedFiles(held_bytes=PAGES // 2 * mmap.PAGESIZE)
    numbers = np.frombuffer(files.map(path), dtype=np.int64)
    assert files.keep_within()  # to know what is held besides
    assert not files.keep_within()
    total = int(numbers.sum())
    assert files.keep_within()
    assert not files.keep_within()
    assert int(numbers.sum()) == total


def test_what_is_no_longer_used_is_forgotten(path: Path) -> None:
    files = MappedFiles(held_bytes=0)
    pages = files.map(path)
    gone = ref(pages)
    del pages
    assert gone() is None
    files.let_go()


def test_a_system_without_large_pages_maps_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped_files, "_LARGE_PAGES", 10_000)  # no such advice
    pages = MappedFiles().map(path)
    assert np.frombuffer(pages, dtype=np.int64)[-1] == PAGES * mmap.PAGESIZE // 8 - 1
