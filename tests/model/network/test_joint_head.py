from __future__ import annotations

import torch
from torch import Tensor

from model.distributions import Layout
from model.network import KindNetwork, Neighbours, SomeTasks, SSMTLNetwork
from model.network.joint_head import JointHead
from tests.model.network.made_networks import (
    CONFIG,
    made_batch,
    made_labels,
    made_network,
    tasks_of,
)

ROWS = 10


def correction(
    network: SSMTLNetwork, known_T: list[bool], labels: list[Tensor] | None = None
) -> tuple[KindNetwork, Tensor]:
    torch.manual_seed(1)
    kind = network.kind("user")
    state, marginals = network.marginals("user", made_batch(ROWS))
    labels = labels or made_labels(kind.layout, ROWS, missing=0.0)
    known = torch.tensor(known_T).expand(ROWS, -1)
    return kind, kind.joint(state, marginals, labels, known)


def test_nothing_known_corrects_nothing() -> None:
    network = made_network()
    _, found = correction(network, [False] * 5)
    assert (found == 0).all()


def test_a_missing_outcome_says_nothing() -> None:
    network = made_network()
    layout = network.kind("user").layout
    missing = [torch.full_like(labels, torch.nan) for labels in made_labels(layout, ROWS)]
    _, found = correction(network, [True] * 5, missing)
    assert (found == 0).all()


def test_a_known_outcome_moves_the_tasks_that_its_edges_lead_to() -> None:
    network = made_network()
    kind = network.kind("user")
    position = kind.layout.position("user_buys")
    spend = kind.layout.position("user_spend")
    kind.joint.sources[spend][kind.joint.sources[spend] == position] = spend  # no edge
    known = [index == position for index in range(5)]
    _, found = correction(network, known)
    moves = {
        task.name: bool((found[:, kind.layout.columns_of(task.name)] != 0).any())
        for task in kind.layout.tasks
    }
    assert moves == {
        "user_views": True,
        "user_buys": False,  # no outcome is evidence for itself
        "user_orders": True,
        "user_spend": False,
        "user_best": True,
    }


def test_no_gradient_reaches_the_trunk() -> None:
    network = made_network()
    _, found = correction(network, [True, False, True, False, True])
    found.square().sum().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached
    assert all(name.startswith("kinds.user.joint.") for name in reached)


def test_training_starts_without_any_correction() -> None:
    layout = Layout(tasks_of("user"))
    joint = connected(layout, torch.rand(5, 5), 2)
    labels = made_labels(layout, ROWS)
    found = joint(
        torch.randn(ROWS, CONFIG.width),
        torch.randn(ROWS, layout.columns),
        labels,
        torch.ones(ROWS, 5, dtype=torch.bool),
    )
    assert (found == 0).all()


def test_the_strongest_correlations_become_edges() -> None:
    correlation = torch.tensor(
        [
            [1.0, 0.9, -0.8, 0.1, 0.0],
            [0.9, 1.0, 0.2, 0.3, 0.1],
            [-0.8, 0.2, 1.0, 0.1, 0.3],
            [0.1, 0.3, 0.1, 1.0, 0.2],
            [0.0, 0.1, 0.3, 0.2, 1.0],
        ]
    )
    adjacency = connected(Layout(tasks_of("user")), correlation, 2).adjacency().detach()
    assert (adjacency != 0).sum(dim=1).tolist() == [2] * 5
    assert (adjacency.diagonal() == 0).all()
    torch.testing.assert_close(adjacency[0], torch.tensor([0, 0.9, -0.8, 0, 0]))


def test_tasks_that_do_not_correlate_have_no_edge() -> None:
    correlation = torch.zeros(5, 5)
    correlation[0, 3] = 0.5
    joint = connected(Layout(tasks_of("user")), correlation, 4)
    assert joint.is_edge.sum().item() == 1
    assert joint.adjacency()[0, 3] == 0.5


def test_one_task_alone_has_no_edges() -> None:
    joint = connected(Layout(tasks_of("user")[:1]), torch.ones(1, 1), 8)
    assert joint.adjacency().tolist() == [[0.0]]


def test_more_neighbours_than_tasks_are_all_of_them() -> None:
    joint = connected(Layout(tasks_of("pair")), torch.ones(2, 2), 8)
    assert joint.adjacency().tolist() == [[0, 1], [1, 0]]


def test_some_tasks_are_corrected_as_if_the_others_were_unknown() -> None:
    network = made_network()
    kind = network.kind("item")
    some = SomeTasks.at(kind.layout, [5, 0, 3, 8])
    state, marginals = network.marginals("item", made_batch(ROWS))
    labels = made_labels(kind.layout, ROWS, missing=0.0)
    known = torch.zeros(ROWS, len(kind.layout), dtype=torch.bool)
    known[:, some.order] = torch.rand(ROWS, 4) < 0.5
    whole = kind.joint(state, marginals, labels, known)
    own = [
        of_group[:, chosen.order]
        for of_group, chosen in zip(labels, some.of_group, strict=True)
        if len(chosen)
    ]
    found = kind.joint(state, marginals[:, some.columns], own, known[:, some.order], some)
    assert (found != 0).any()
    torch.testing.assert_close(found, whole[:, some.columns])


def connected(layout: Layout, correlation: Tensor, neighbours: int) -> JointHead:
    joint = JointHead(layout, CONFIG.width, CONFIG.evidence_channels, neighbours)
    joint.connect(Neighbours.strongest(correlation, neighbours))
    return joint
