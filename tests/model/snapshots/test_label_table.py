"""Labels that are kept without their zeros are the same labels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.snapshots import LabelTable, PeriodLabels, Piece

RNG = np.random.default_rng(0)
ROWS = 300


def column(usual: float, share: float) -> NDArray[np.float32]:
    labels = np.full(ROWS, usual, dtype=np.float32)
    others = RNG.random(ROWS) < share
    labels[others] = RNG.choice([0.0, 1.0, 2.5, np.nan, np.inf], size=others.sum())
    return labels


@pytest.mark.parametrize("usual", [0.0, 1.0, np.nan, np.inf])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.7])
def test_a_column_comes_back_as_it_was(usual: float, share: float) -> None:
    labels = column(usual, share)
    assert np.array_equal(Piece.of(labels).dense(), labels, equal_nan=True)


@pytest.mark.parametrize("usual", [0.0, np.nan, np.inf])
def test_what_most_rows_say_takes_no_memory(usual: float) -> None:
    assert len(Piece.of(column(usual, share=0.05)).rows) < 0.1 * ROWS


def test_periods_come_back_as_they_were() -> None:
    amounts = RNG.random((ROWS, 7)).astype(np.float32)
    amounts[RNG.random(ROWS) < 0.9] = np.nan
    exposure = np.broadcast_to(RNG.random(7).astype(np.float32), (ROWS, 7))
    table = LabelTable.of([("best", PeriodLabels(amounts, exposure))])
    found = table["best"]
    assert isinstance(found, PeriodLabels)
    assert np.array_equal(found.amounts, amounts, equal_nan=True)
    assert np.array_equal(found.exposure, exposure)
    assert len(table.pieces("best")[0].rows) < 0.2 * ROWS


def test_the_rows_of_all_cutoffs_follow_each_other() -> None:
    first, second = column(0.0, 0.3), column(np.nan, 0.3)
    joined = LabelTable.of([("a", np.concatenate([first, second]))], [len(first), len(second)])
    assert list(joined) == ["a"]
    assert [len(piece.dense()) for piece in joined.pieces("a")] == [len(first), len(second)]
    assert all(len(piece.rows) < 0.5 * piece.length for piece in joined.pieces("a"))
    assert np.array_equal(joined["a"], np.concatenate([first, second]), equal_nan=True)
