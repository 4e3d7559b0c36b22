from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from app.ingest.cells import numbers_of, text_of
from app.ingest.faults import InvalidUpload


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([" a ", "", "  ", None, "小明"]), ["a", None, None, None, "小明"]),
        (pa.array([13085.0, 1.5, None, float("nan")]), ["13085", "1.5", None, None]),
        (pa.array([13085, None]), ["13085", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array(["a"], pa.large_string()), ["a"]),
        (pa.array([Decimal("13085.00"), Decimal("1.50")]), ["13085", "1.50"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([b"a"]), ["a"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_text_of_any_type(column: pa.Array, expected: list[str | None]) -> None:
    assert text_of(column).to_pylist() == expected


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidUpload, match="binary"):
        text_of(pa.array([b"\xff"]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (pa.array([" 1.50 "]), 1.5),
        (pa.array(["+3"]), 3.0),
        (pa.array(["-.5"]), -0.5),
        (pa.array(["1e3"]), 1000.0),
        (pa.array([2], pa.int8()), 2.0),
        (pa.array([Decimal("2.25")]), 2.25),
        (pa.array(["7"]).dictionary_encode(), 7.0),
    ],
)
def test_numbers_of_any_type(column: pa.Array, value: float) -> None:
    numbers = numbers_of(column)
    assert numbers.value.tolist() == [value]
    assert not numbers.missing.any()
    assert not numbers.unreadable.any()


def test_missing_numbers_are_told_from_unreadable_ones() -> None:
    missing = numbers_of(pa.array(["", None, "NaN", "null", "N/A"]))
    assert missing.missing.all()
    assert not missing.unreadable.any()
    bad = numbers_of(pa.array(["1,5", "£3", "1_000", "0x10", "inf", "1e999", "٣"]))
    assert bad.unreadable.all()
    assert numbers_of(pa.array([np.inf, 1.0])).unreadable.tolist() == [True, False]
