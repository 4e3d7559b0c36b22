from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from model.events.arrow_memory import doubles, is_there, text_array, text_bytes

NUMBERS = [None, 1.5, float("nan"), None, -2.0, 0.0, *map(float, range(9))]


@pytest.mark.parametrize("skipped", [0, 1, 3, 9, len(NUMBERS)])
@pytest.mark.parametrize("values", [NUMBERS, NUMBERS[4:], [None, None]])
def test_numbers_are_those_of_arrow_and_null_is_none(
    values: list[float | None], skipped: int
) -> None:
    array = pa.array(values, pa.float64())[skipped:]
    expected = [np.nan if value is None else value for value in values[skipped:]]
    assert np.array_equal(doubles(array), np.array(expected, dtype=float), equal_nan=True)
    assert is_there(array).tolist() == [value is not None for value in values[skipped:]]


@pytest.mark.parametrize("skipped", [0, 1, 3])
def test_texts_are_those_of_arrow(skipped: int) -> None:
    texts = ["", "a", "ä", "z" * 20]
    bounds, raw = text_bytes(pa.array(texts, pa.large_string())[skipped:])
    found = [bytes(raw[a:b]).decode() for a, b in pairwise(bounds)]
    assert found == texts[skipped:]


@pytest.mark.parametrize("texts", [[], ["a"], ["", "a", ""], ["ä", "zz", "\U0001f600", "a"]])
def test_an_array_of_texts_is_what_arrow_makes_of_them(texts: list[str]) -> None:
    found = text_array(texts)
    found.validate(full=True)
    assert found.equals(pa.array(texts, pa.string()))
