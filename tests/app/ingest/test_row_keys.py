import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest import row_keys
from app.ingest.row_keys import combined_keys, number_keys, text_keys


def test_stored_keys_never_change() -> None:
    # Parts hold these: another value here means that known rows would be stored again.
    keys = combined_keys(
        [text_keys(pa.array(["小明", None])), number_keys(np.array([1.5, np.nan]))]
    )
    assert keys.tolist() == [9441309372309660895, 9405588171512661463]


@settings(deadline=None)  # the first call may compile
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)))
def test_keys_are_the_same_without_a_compiler(texts: list[str | None]) -> None:
    column = pa.array([*texts, "a"], pa.string())[1:]
    with pytest.MonkeyPatch.context() as patch:
        compiled = combined_keys([text_keys(column), text_keys(column)])
        patch.setattr(row_keys, "COMPILED", False)
        plain = combined_keys([text_keys(column), text_keys(column)])
    assert compiled.tolist() == plain.tolist()


def test_equal_rows_have_equal_keys_whatever_is_around_them() -> None:
    one = text_keys(pa.array(["a", "b", None, "a"]))
    other = text_keys(pa.array(["z", "a", None]))
    assert one[0] == one[3] == other[1]
    assert one[2] == other[2]
    assert len(set(one.tolist())) == 3


def test_cells_do_not_flow_into_each_other() -> None:
    left, right = text_keys(pa.array(["a", "b"])), text_keys(pa.array(["b", "a"]))
    assert len(set(combined_keys([left, right]).tolist())) == 2


def test_zero_has_no_sign() -> None:
    assert number_keys(np.array([0.0])) == number_keys(np.array([-0.0]))
    assert number_keys(np.array([np.nan])) == number_keys(-np.array([np.nan]))


def test_no_collisions_among_many() -> None:
    n = 200_000
    keys = combined_keys([number_keys(np.arange(n) % 450.0), number_keys(np.arange(n) // 450.0)])
    assert len(np.unique(keys)) == n
