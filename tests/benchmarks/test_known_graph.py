"""In small: the reported graph is much like the one that made the outcomes, and seeds agree."""

from __future__ import annotations

import io
from functools import partial

import pytest
from rich.console import Console

from benchmarks.quality import known_graph
from model import Config

SMALL = partial(Config, width=32, members=2, max_epochs=5, max_steps_per_epoch=40)


@pytest.mark.slow
def test_the_reported_graph_is_the_one_that_made_the_outcomes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_graph, "USERS", 500)
    monkeypatch.setattr(known_graph, "WEEKS", 20)
    monkeypatch.setattr(known_graph, "Config", SMALL)
    found = known_graph.measure(2, Console(file=io.StringIO()))
    assert found["graph_edge_auc"] > 0.8
    assert found["graph_seed_correlation"] > 0.7
