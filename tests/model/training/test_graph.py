from __future__ import annotations

import numpy as np
import pytest
import torch

from model.config import Config
from model.network import KindNetwork
from model.training.graph import edges_with_gain, joint_report, label_correlation
from model.training.preparation import Prepared
from model.training.scoring import Outputs, conditional_nll, outputs_of


@pytest.fixture(scope="module")
def scored(prepared: Prepared, config: Config) -> tuple[KindNetwork, Outputs]:
    torch.manual_seed(0)
    network = prepared.network(config)
    kind = network.kind("user")
    with torch.no_grad():
        kind.joint.output.normal_(std=0.05)
    return kind, outputs_of(network, kind, prepared.training["user"])


def test_correlations_are_those_of_the_labels(prepared: Prepared) -> None:
    layout, examples = prepared.layouts["user"], prepared.training["user"]
    found = label_correlation(layout, examples)
    tasks = len(layout)
    assert found.shape == (tasks, tasks)
    torch.testing.assert_close(found, found.T)
    torch.testing.assert_close(found.diagonal(), torch.ones(tasks))
    columns = {}
    for name in ("buys_7d", "buys_30d", "order_days_30d"):
        group = layout.group(name)
        labels = examples.labels[layout.groups.index(group)]
        columns[name] = labels[:, layout.position(name) - group.first_task].log1p().numpy()
    for one, left in columns.items():
        for other, right in columns.items():
            both = ~np.isnan(left) & ~np.isnan(right)
            expected = np.corrcoef(left[both], right[both])[0, 1]
            place = layout.position(one), layout.position(other)
            assert float(found[place]) == pytest.approx(expected, abs=1e-4)


def test_periods_correlate_with_nothing(prepared: Prepared) -> None:
    layout = prepared.layouts["item"]
    found = label_correlation(layout, prepared.training["item"])
    best = layout.position("best_weekday")
    others = [index for index in range(len(layout)) if index != best]
    assert (found[best, others] == 0).all()


def test_an_edge_says_what_its_outcome_is_worth(
    prepared: Prepared, scored: tuple[KindNetwork, Outputs]
) -> None:
    kind, outputs = scored
    examples = prepared.training["user"]
    edges = edges_with_gain(kind, outputs, examples, prepared.correlation["user"])
    assert edges
    names = {"buys_7d", "buys_30d", "order_days_30d", "spend_30d"}
    for edge in edges:
        assert {edge.source, edge.target} <= names
        assert edge.source != edge.target
    edge = edges[0]
    layout = kind.layout
    source, target = layout.position(edge.source), layout.position(edge.target)
    known = torch.zeros(len(layout), dtype=torch.bool)
    known[source] = True
    before = kind.nll(outputs.marginals, examples.labels)[:, target]
    after = conditional_nll(kind, outputs, examples.labels, known)[:, target]
    both = ~before.isnan() & ~kind.nll(outputs.marginals, examples.labels)[:, source].isnan()
    assert edge.gain_nats == pytest.approx(float((before - after)[both].mean()), abs=1e-5)


def test_the_joint_is_the_chain_of_conditionals(
    prepared: Prepared, scored: tuple[KindNetwork, Outputs]
) -> None:
    kind, outputs = scored
    examples = prepared.training["user"]
    found = joint_report(kind, outputs, examples)
    assert found is not None
    layout = kind.layout
    horizons = [layout.tasks[layout.position(name)].horizon_days for name in found.tasks]
    assert horizons == sorted(horizons)
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


def test_nothing_known_leaves_the_marginals(
    prepared: Prepared, scored: tuple[KindNetwork, Outputs]
) -> None:
    kind, outputs = scored
    labels = prepared.training["user"].labels
    nothing = torch.zeros(len(kind.layout), dtype=torch.bool)
    marginal = kind.nll(outputs.marginals, labels)
    conditional = conditional_nll(kind, outputs, labels, nothing)
    torch.testing.assert_close(conditional, marginal, equal_nan=True)


def test_of_many_tasks_the_edges_are_measured_on_fewer_rows(
    prepared: Prepared, scored: tuple[KindNetwork, Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, outputs = scored
    examples, correlation = prepared.training["user"], prepared.correlation["user"]
    every = edges_with_gain(kind, outputs, examples, correlation)
    whole = joint_report(kind, outputs, examples)
    monkeypatch.setattr("model.training.graph.MAX_EDGE_WORK", 0)
    monkeypatch.setattr("model.training.graph.MIN_EDGE_ROWS", len(examples) // 2)
    some = edges_with_gain(kind, outputs, examples, correlation)
    assert [(e.source, e.target, e.weight) for e in some] == [
        (e.source, e.target, e.weight) for e in every
    ]
    assert any(one.gain_nats != other.gain_nats for one, other in zip(some, every, strict=True))
    part = joint_report(kind, outputs, examples)
    assert whole is not None
    assert part is not None
    assert part.tasks == whole.tasks
    assert part.marginals_nll == pytest.approx(whole.marginals_nll, rel=0.2)
