from __future__ import annotations

import pytest
import torch

from model.network import SomeTasks, SSMTLNetwork
from model.tasks import EntityKind
from tests.model.network.made_networks import KINDS, made_batch, made_labels, made_network

ROWS = 12


@pytest.fixture
def network() -> SSMTLNetwork:
    torch.manual_seed(0)
    return made_network()


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_some_tasks_are_answered_as_among_all(network: SSMTLNetwork, entity: EntityKind) -> None:
    kind, batch = network.kind(entity), made_batch(ROWS)
    some = SomeTasks.at(kind.layout, range(0, len(kind.layout), 2))
    among_all = kind.private_parameters(batch.numbers)[:, some.columns]
    alone = kind.private_parameters(batch.numbers, some)
    torch.testing.assert_close(alone, among_all, rtol=1e-6, atol=1e-6)
    assert torch.isfinite(alone).all()


@pytest.mark.parametrize("entity", KINDS)
def test_a_task_learns_from_its_own_labels_and_moves_nothing_else(
    network: SSMTLNetwork, entity: EntityKind
) -> None:
    kind, batch = network.kind(entity), made_batch(ROWS)
    position, task = next(
        (index, task) for index, task in enumerate(kind.layout.tasks) if task.name.endswith("buys")
    )
    nll_BT = kind.nll(kind.private_parameters(batch.numbers), made_labels(kind.layout, ROWS))
    nll_BT[:, position].nansum().backward()
    group = kind.layout.group(task.name)
    index, place = kind.layout.groups.index(group), position - group.first_task
    for name, parameter in network.named_parameters():
        if parameter.grad is None or not bool(parameter.grad.any()):
            continue
        assert name.startswith(f"kinds.{entity}.private.")
        if name.endswith(f"weights.{index}"):
            moved = parameter.grad.abs().amax(dim=(1, 2)) > 0
            assert moved.nonzero().flatten().tolist() == [place]
    assert kind.private.weights[index].grad is not None
