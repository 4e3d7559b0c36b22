"""The import benchmark on files of no size: its figures are there, its engines agree."""

import pytest

from benchmarks import imports
from benchmarks.imports import BARS, import_figures


@pytest.mark.slow
def test_every_figure_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BAD_ROWS", 2000)
    figures = import_figures(rows=3000, more_rows=6000, repeats=1)
    assert set(BARS) <= set(figures)
    assert figures["bad_records_named"] == 500
    assert all(value > 0 for value in figures.values())
