from __future__ import annotations

import pytest
import torch

from model.distributions import Layout
from model.network import KindShape, Neighbours, SSMTLNetwork
from model.tasks import EntityKind
from model.training.pruning import without_self_supervision
from model.training.self_supervision import is_self_supervised, self_supervised_tasks
from tests.model.network.made_networks import (
    CATEGORY_SIZES,
    CLASSES,
    CONFIG,
    ITEMS,
    KINDS,
    NUMBERS,
    TYPES,
    made_batch,
    made_boosted,
    made_labels,
    moved,
    tasks_of,
)

ROWS = 10


@pytest.fixture
def network() -> SSMTLNetwork:
    """Declared and generated tasks; every weight and edge away from where it starts."""
    shapes = []
    for entity in KINDS:
        declared = tasks_of(entity)
        generated = self_supervised_tasks(entity, ["view", "buy", "cart"], declared, 30)
        # In any order, so that pruning has to look for its tasks.
        mixed = (*generated[:3], *declared[::-1], *generated[3:])
        shapes.append(KindShape(entity, NUMBERS, CATEGORY_SIZES, Layout(mixed, CLASSES)))
    network = SSMTLNetwork(shapes, ITEMS, TYPES, CONFIG)
    for entity in KINDS:
        tasks = len(network.kind(entity).layout)
        network.connect(entity, Neighbours.strongest(torch.rand(tasks, tasks), 4))
        network.kind(entity).numeric.fit_scaling(torch.randn(50, NUMBERS) * 3)
    for entity in KINDS:
        kind = network.kind(entity)
        kind.add_trees(made_boosted(kind))
        kind.voices.shares.mul_(torch.rand(kind.voices.shares.shape))
    moved(network)
    return network.eval()


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_what_is_said_of_the_declared_tasks_is_unchanged(
    network: SSMTLNetwork, entity: EntityKind
) -> None:
    small = without_self_supervision(network, CONFIG)
    batch = made_batch(ROWS)
    state, before = network.marginals(entity, batch)
    small_state, after = small.marginals(entity, batch)
    torch.testing.assert_close(small_state, state, rtol=0, atol=0)
    whole, kept = network.kind(entity).layout, small.kind(entity).layout
    assert {task.name for task in kept.tasks} == {task.name for task in tasks_of(entity)}
    for task in kept.tasks:
        torch.testing.assert_close(
            after[:, kept.columns_of(task.name)],
            before[:, whole.columns_of(task.name)],
            rtol=1e-6,
            atol=1e-6,
        )


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_what_a_known_outcome_says_is_unchanged(network: SSMTLNetwork, entity: EntityKind) -> None:
    small = without_self_supervision(network, CONFIG)
    batch = made_batch(ROWS)
    corrections = {}
    for name, some in (("whole", network), ("small", small)):
        kind = some.kind(entity)
        labels, known = [], torch.zeros(ROWS, len(kind.layout), dtype=torch.bool)
        for group in kind.layout.groups:
            # The same outcomes for the same tasks, in either layout.
            columns = []
            for task in group.tasks:
                torch.manual_seed(sum(map(ord, task.name)))
                alone = type(kind.layout)([task], CLASSES)
                columns.append(made_labels(alone, ROWS, missing=0.0)[0])
                declared = not is_self_supervised(task.name)
                known[:, kind.layout.position(task.name)] = declared and "buys" in task.name
            labels.append(torch.cat(columns, dim=1))
        state, marginals = some.marginals(entity, batch)
        corrections[name] = kind.joint(state, marginals, labels, known), kind.layout
    (whole, of_whole), (kept, of_small) = corrections["whole"], corrections["small"]
    assert (kept != 0).any()
    for task in of_small.tasks:
        torch.testing.assert_close(
            kept[:, of_small.columns_of(task.name)],
            whole[:, of_whole.columns_of(task.name)],
            rtol=1e-5,
            atol=1e-6,
        )


def test_nothing_of_the_generated_tasks_is_left(network: SSMTLNetwork) -> None:
    small = without_self_supervision(network, CONFIG)
    declared = sum(len(tasks_of(entity)) for entity in KINDS)
    assert len(small.task_names) == declared
    assert not any(is_self_supervised(name) for name in small.task_names)
    assert len(small.task_embeddings.own) == declared
    assert not small.training
