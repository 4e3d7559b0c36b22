"""Tasks that are looked at in chunks are told the same as all at once."""

from __future__ import annotations

import pytest
import torch

from model.config import Config
from model.network import SSMTLNetwork
from model.snapshots import FoldPart
from model.training.fold import _chosen
from model.training.preparation import Prepared
from model.training.scoring import mean_nll, mean_nll_of, outputs_in_chunks, outputs_of
from model.training.selection import choose_serving
from tests.model.network.made_networks import moved

CHUNK = 3


@pytest.fixture
def network(prepared: Prepared, config: Config, monkeypatch: pytest.MonkeyPatch) -> SSMTLNetwork:
    for module in ("scoring", "baselines", "preparation"):
        monkeypatch.setattr(f"model.training.{module}.CHUNK_TASKS", CHUNK)
    network = prepared.network(config)
    with torch.no_grad():
        moved(network.kind("user").stage)
    return network


def test_chunks_hold_all_tasks_once(prepared: Prepared, network: SSMTLNetwork) -> None:
    kind, examples = network.kind("user"), prepared.training["user"]
    whole = outputs_of(network, kind, examples)
    names: list[str] = []
    for some, outputs, chunk in outputs_in_chunks(network, kind, examples):
        names += [task.name for task in some.layout.tasks]
        assert len(some) <= CHUNK
        torch.testing.assert_close(outputs.marginals, whole.marginals[:, some.columns])
        whole_nll = kind.nll(whole.marginals, examples.labels)[:, some.order]
        own = network.kind("user").nll(whole.marginals, examples.labels)[:, some.order]
        torch.testing.assert_close(own, whole_nll, equal_nan=True)
        assert len(chunk.layout) == len(some)
    assert names == [task.name for task in kind.layout.tasks]


def test_the_mean_of_each_task_is_the_same(prepared: Prepared, network: SSMTLNetwork) -> None:
    kind, examples = network.kind("user"), prepared.training["user"]
    whole = kind.nll(outputs_of(network, kind, examples).marginals, examples.labels)
    expected = mean_nll(whole, examples.weights)
    torch.testing.assert_close(mean_nll_of(network, kind, examples), expected)


def test_tasks_are_calibrated_and_chosen_the_same(
    prepared: Prepared, network: SSMTLNetwork
) -> None:
    kind, examples = network.kind("user"), prepared.training["user"]
    layout, baselines = prepared.layouts["user"], prepared.baselines["user"]
    at_once = choose_serving(
        layout,
        outputs_of(network, kind, examples),
        examples,
        baselines,
        prepared.scales,
        layout.tasks,
    )
    part = FoldPart((), prepared.label_end_us)  # where all that came true is known already
    in_chunks = _chosen(network, prepared, "user", prepared.came_true(part), examples)
    assert in_chunks
    for name, how in in_chunks.items():
        assert how.source == at_once[name].source
        # The optimiser stops at another place when it looks at fewer tasks.
        assert how.slope == pytest.approx(at_once[name].slope, abs=0.05)
        assert how.shift == pytest.approx(at_once[name].shift, abs=0.05)
