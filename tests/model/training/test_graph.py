from __future__ import annotations

import numpy as np
import pytest
import torch

from model.config import Config
from model.network import KindNetwork, SomeTasks, SSMTLNetwork
from model.training.graph import edges_with_gain, joint_report, related_tasks
from model.training.preparation import Prepared
from model.training.scoring import conditional_nll, outputs_of

Scored = tuple[SSMTLNetwork, KindNetwork]


@pytest.fixture(scope="module")
def scored(prepared: Prepared, config: Config) -> Scored:
    torch.manual_seed(0)
    network = prepared.network(config)
    kind = network.kind("user")
    with torch.no_grad():
        kind.joint.output.normal_(std=0.05)
    return network, kind


def test_tasks_are_related_by_what_the_features_leave_unexplained(prepared: Prepared) -> None:
    layout, examples = prepared.layouts["user"], prepared.training["user"]
    found = related_tasks(layout, examples, most=3)
    assert found.sources.shape == (len(layout), 3)
    own = torch.arange(len(layout))[:, None]
    assert ((found.sources != own) == (found.correlation != 0)).all()
    assert (found.correlation.abs() <= 1).all()
    strength = found.correlation.abs()
    assert (strength.diff(dim=1) <= 1e-6).all(), "the strongest first"
    buys = layout.position("buys_30d")
    nearest = {layout.tasks[source].name for source in found.sources[buys].tolist()}
    assert nearest & {"order_days_30d", "spend_30d", "self:user_count_purchase_30d"}
    assert float(found.correlation[buys, 0]) > 0.5


def test_periods_have_no_neighbours(prepared: Prepared) -> None:
    layout = prepared.layouts["item"]
    found = related_tasks(layout, prepared.training["item"], most=3)
    best = layout.position("best_weekday")
    assert (found.sources[best] == best).all()
    others = [index for index in range(len(layout)) if index != best]
    assert (found.sources[others] != best).all()


def test_an_edge_says_what_its_outcome_is_worth(prepared: Prepared, scored: Scored) -> None:
    network, kind = scored
    examples = prepared.training["user"]
    edges = edges_with_gain(network, kind, examples)
    assert edges
    names = {"buys_7d", "buys_30d", "order_days_30d", "spend_30d"}
    outputs, layout = outputs_of(network, kind, examples), kind.layout
    before = kind.nll(outputs.marginals, examples.labels)
    for edge in edges:
        assert {edge.source, edge.target} <= names
        assert edge.source != edge.target
        source, target = layout.position(edge.source), layout.position(edge.target)
        known = torch.zeros(len(layout), dtype=torch.bool)
        known[source] = True
        after = conditional_nll(kind, outputs, examples.labels, known)[:, target]
        both = ~before[:, target].isnan() & ~before[:, source].isnan()
        gain = float((before[:, target] - after)[both].mean())
        assert edge.gain_nats == pytest.approx(gain, abs=1e-5)
        assert edge.gain_share == pytest.approx(gain / float(before[both, target].mean()), abs=1e-5)
    edge = next(e for e in edges if (e.source, e.target) == ("order_days_30d", "buys_30d"))
    columns = [
        examples.labels[layout.groups.index(layout.group(name))][
            :, layout.position(name) - layout.group(name).first_task
        ].log1p()
        for name in (edge.source, edge.target)
    ]
    both = ~columns[0].isnan() & ~columns[1].isnan()
    expected = np.corrcoef(columns[0][both].numpy(), columns[1][both].numpy())[0, 1]
    assert edge.correlation == pytest.approx(expected, abs=1e-4)


def test_the_joint_is_the_chain_of_conditionals(prepared: Prepared, scored: Scored) -> None:
    network, kind = scored
    examples = prepared.training["user"]
    found = joint_report(network, kind, examples)
    assert found is not None
    layout = kind.layout
    horizons = [layout.tasks[layout.position(name)].horizon_days for name in found.tasks]
    assert horizons == sorted(horizons)
    outputs = outputs_of(network, kind, examples)
    marginal = kind.nll(outputs.marginals, examples.labels)
    order = [layout.position(name) for name in found.tasks]
    complete = ~marginal[:, order].isnan().any(dim=1)
    independent = marginal[complete][:, order].sum(dim=1).mean()
    assert found.marginals_nll == pytest.approx(float(independent), rel=1e-5)
    known = torch.zeros(len(layout), dtype=torch.bool)
    total = 0.0
    for position in order:
        nll = conditional_nll(kind, outputs, examples.labels, known)[complete, position]
        total += float(nll.mean())
        known[position] = True
    assert found.joint_nll == pytest.approx(total, rel=1e-5)
    assert found.reversed_nll != found.joint_nll


def test_nothing_known_leaves_the_marginals(prepared: Prepared, scored: Scored) -> None:
    network, kind = scored
    examples = prepared.training["user"]
    outputs = outputs_of(network, kind, examples)
    nothing = torch.zeros(len(kind.layout), dtype=torch.bool)
    marginal = kind.nll(outputs.marginals, examples.labels)
    conditional = conditional_nll(kind, outputs, examples.labels, nothing)
    torch.testing.assert_close(conditional, marginal, equal_nan=True)


def test_of_many_tasks_the_edges_are_measured_on_fewer_rows_and_in_chunks(
    prepared: Prepared, scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, kind = scored
    examples = prepared.training["user"]

    def edges() -> dict[tuple[str, str], tuple[float, float]]:
        found = edges_with_gain(network, kind, examples)
        return {(e.source, e.target): (e.weight, e.gain_nats) for e in found}

    every = edges()
    monkeypatch.setattr("model.training.graph._CHUNK_TASKS", 3)
    chunked = edges()
    assert chunked.keys() == every.keys()
    assert all(chunked[pair] == pytest.approx(every[pair], abs=1e-5) for pair in every)
    monkeypatch.setattr("model.training.graph.MAX_EDGE_CELLS", 0)
    monkeypatch.setattr("model.training.graph.MIN_EDGE_ROWS", len(examples) // 2)
    some = edges()
    assert all(some[pair][0] == every[pair][0] for pair in every)
    assert any(some[pair][1] != every[pair][1] for pair in every)


def test_of_many_tasks_the_joint_is_of_the_most_connected(
    prepared: Prepared, scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, kind = scored
    monkeypatch.setattr("model.training.graph.MAX_JOINT_TASKS", 2)
    found = joint_report(network, kind, prepared.training["user"])
    assert found is not None
    assert len(found.tasks) == 2
    some = SomeTasks.at(kind.layout, [kind.layout.position(name) for name in found.tasks])
    assert bool((kind.joint.adjacency(some) != 0).any())
