from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from model import kept_code
from model.object_code import ObjectCode, UnknownObject
from tests.model.test_compiled import module

KERNELS = """
import numpy as np
from model.compiled import compiled_as

STEP = 3
_LONGS = "Array(int64, 1, 'C', readonly=True)"


@compiled_as(f"int64[::1]({_LONGS}, int64)")
def stepped(numbers, times):
    found = np.zeros(len(numbers), dtype=np.int64)
    for place in range(len(numbers)):
        found[place] = numbers[place] + STEP * times
    return found


@compiled_as(f"void({_LONGS}, int64, Array(float64, 2, 'C'), Array(boolean, 1, 'C'))")
def divided(numbers, divisor, found, is_odd):
    for row in range(found.shape[0]):
        for place in range(len(numbers)):
            found[row, place] = np.exp(np.float64(numbers[place] // divisor))
            is_odd[place] = numbers[place] % 2 == 1
"""
NUMBERS = np.arange(5)


@pytest.fixture
def kernels(tmp_path: Path) -> Any:
    """Compiled by one process, loaded by what takes the place of another one."""
    made = module(tmp_path, KERNELS)
    made.stepped(NUMBERS, 1)
    made.divided(NUMBERS, 2, np.zeros((1, 5)), np.zeros(5, dtype=bool))
    return module(tmp_path, KERNELS)


def test_it_does_the_same_and_needs_no_compiler(
    kernels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.compiled._compiled_for", None)
    assert kernels.stepped(NUMBERS, 2).tolist() == [6, 7, 8, 9, 10]
    found, is_odd = np.zeros((2, 5)), np.zeros(5, dtype=bool)
    kernels.divided(NUMBERS, 2, found, is_odd)
    assert found.tolist() == [np.exp(NUMBERS // 2).tolist()] * 2
    assert is_odd.tolist() == [False, True, False, True, False]


def test_an_error_of_the_machine_code_is_raised(kernels: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        kernels.divided(NUMBERS, 0, np.zeros((1, 5)), np.zeros(5, dtype=bool))


@pytest.mark.parametrize(
    "numbers",
    [
        NUMBERS.astype(np.float64),
        NUMBERS.astype(np.int32),
        np.arange(10)[::2],
        np.zeros((2, 2), dtype=np.int64),
    ],
    ids=["floats", "short", "not contiguous", "a matrix"],
)
def test_other_arrays_are_refused(kernels: Any, numbers: np.ndarray) -> None:
    with pytest.raises(TypeError, match="takes as argument 0 a contiguous array of 1 dim"):
        kernels.stepped(numbers, 1)


def test_what_cannot_be_written_is_not_written_to(kernels: Any) -> None:
    found = np.zeros((1, 5))
    found.flags.writeable = False
    with pytest.raises(TypeError, match="to write to"):
        kernels.divided(NUMBERS, 2, found, np.zeros(5, dtype=bool))


def test_arrays_may_be_looked_at_once_for_many_calls(kernels: Any) -> None:
    found, is_odd = np.zeros((1, 5)), np.zeros(5, dtype=bool)
    divided = kernels.divided.looked_at(NUMBERS, 1, found, is_odd)
    for divisor in (1, 2):
        divided(NUMBERS, divisor, found, is_odd)
        assert found.tolist() == [np.exp(NUMBERS // divisor).tolist()]
    with pytest.raises(TypeError, match="takes as argument 0"):
        kernels.divided.looked_at(found, 1, found, is_odd)


@pytest.mark.parametrize("change", ["a constant", "the processor", "the signature"])
def test_something_else_is_compiled_anew(
    kernels: Any, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, signature = kernels.stepped._function, kernels.stepped._signature
    assert kept_code.load(function, signature) is not None
    if change == "a constant":
        monkeypatch.setitem(function.__globals__, "STEP", 4)
    elif change == "the processor":
        monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
        kept_code._processor.cache_clear()
    else:
        signature = signature.replace("int64)", "int32)")
    assert kept_code.load(function, signature) is None
    kept_code._processor.cache_clear()


@pytest.mark.parametrize("kept", [0, 7, 200, 5000])
def test_a_damaged_file_is_not_used(kernels: Any, kept: int, tmp_path: Path) -> None:
    for path in (tmp_path / "__pycache__").glob("*.o"):
        path.write_bytes(path.read_bytes()[:kept])
    assert kernels.stepped(NUMBERS, 1).tolist() == [3, 4, 5, 6, 7]


def test_settings_of_numba_are_its_own_business(
    kernels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert not kept_code.can_keep()
    assert kernels.stepped(NUMBERS, 1).tolist() == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "content", [b"", b"MZ" * 100, b"\x7fELF\x02\x01" + b"\0" * 100], ids=["none", "other", "empty"]
)
def test_what_is_no_object_file_is_refused(content: bytes) -> None:
    with pytest.raises(UnknownObject):
        ObjectCode(content, lambda _: 0, {})


def test_numba_is_imported_only_to_compile_and_then_works_as_ever(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    program = """
        import sys
        import numpy as np
        from kernels import stepped

        assert stepped(np.arange(3), 2).tolist() == [6, 7, 8]
        print("numba" in sys.modules)
        import numba

        assert numba.njit(lambda number: number / 2)(3) == 1.5
        assert stepped(np.arange(3), 1).tolist() == [3, 4, 5]
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", dedent(program)]
    said = [
        subprocess.run(
            command,
            env={"PYTHONPATH": f"{tmp_path}:{root}", "HOME": str(tmp_path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]
