from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model import compiled as compiling
from model import kept_code
from model.compiled import COMPILED

SOURCE = """
from model.compiled import compiled, compiled_as


@compiled_as("float64(Array(float64, 1, 'C', readonly=True))")
def total(numbers):
    found = 0.0
    for number in numbers:
        found += number
    return found


@compiled
def doubled(number):
    return number + number
"""
NUMBERS = np.arange(5, dtype=np.float64)


def module(folder: Path, source: str = SOURCE) -> ModuleType:
    """A module of its own, as if just imported in a new process."""
    path = folder / "some_kernels.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("some_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def files(folder: Path) -> set[str]:
    kept = (folder / "__pycache__").glob("*-*")
    return {path.name for path in kept if path.suffix in {".nbi", ".nbc", ".o"}}


def no_folder(*_: Any) -> None:
    raise OSError("read-only")


@pytest.fixture
def _read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder for a cache can be written, nor a file in one."""
    from numba.core import caching

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", no_folder)
    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", no_folder)
    monkeypatch.setattr(kept_code, "write_aside", no_folder)


def test_a_function_runs_as_machine_code_and_is_kept_beside_its_module(tmp_path: Path) -> None:
    assert COMPILED, "numba is not installed"
    made = module(tmp_path)
    assert not files(tmp_path)
    assert made.total(NUMBERS) == 10
    assert made.doubled(2) == 4
    assert {name.split("-")[0] for name in files(tmp_path)} == {
        "some_kernels.total",
        "some_kernels.doubled",
    }


def test_memory_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    frozen = NUMBERS.copy()
    frozen.flags.writeable = False
    assert module(tmp_path).total(frozen) == 10


@pytest.mark.usefixtures("_read_only")
def test_without_a_folder_to_write_to_it_is_compiled_in_memory(tmp_path: Path) -> None:
    made = module(tmp_path)
    assert made.total(NUMBERS) == 10
    assert made.doubled(2) == 4
    assert not files(tmp_path)


def no_compiler(*_: Any) -> None:
    raise AssertionError("compiled again")


def test_what_was_compiled_at_installation_is_used(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path).total(NUMBERS)
    installed = files(tmp_path)
    request.getfixturevalue("_read_only")
    monkeypatch.setattr(compiling, "_compiled_for", no_compiler)
    made = module(tmp_path)
    assert made.total(NUMBERS) == 10
    assert made.doubled(2) == 4  # not there, and cannot be kept
    assert files(tmp_path) == installed


def test_everything_with_a_signature_can_be_compiled_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "_WITH_SIGNATURE", [])
    module(tmp_path)
    compiling.compile_all()
    assert {name.split("-")[0] for name in files(tmp_path)} == {"some_kernels.total"}


def test_without_a_compiler_the_function_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "COMPILED", False)
    made = module(tmp_path)
    plain: Callable[..., Any] = made.total.machine_code
    assert plain.__name__ == "total"
    assert made.total([1.5, 2.5]) == 4
    assert not files(tmp_path)


PREFETCHING = """
from model.compiled import compiled
from model.intrinsics import prefetch


@compiled
def total(numbers, places):
    found = 0.0
    for n in range(len(places)):
        prefetch(numbers, places[min(n + 2, len(places) - 1)])
        found += numbers[places[n]]
    return found
"""


def test_what_is_fetched_ahead_is_read_as_it_is(tmp_path: Path) -> None:
    places = np.array([4, 0, 2], dtype=np.int32)
    for numbers in (NUMBERS, np.arange(10, dtype=np.float64)[::2] / 2):
        assert module(tmp_path, PREFETCHING).total(numbers, places) == 6
        assert module(tmp_path, PREFETCHING).total.__wrapped__(numbers, places) == 6
