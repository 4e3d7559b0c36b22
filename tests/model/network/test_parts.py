"""Trunk, sequence pooling and task stage, each alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from model.distributions import Layout
from model.network import Neighbours, SomeTasks
from model.network.sequence import SequencePooling
from model.network.task_stage import TaskEmbeddings, TaskStage
from model.network.trunk import EnsembleTrunk, NumericInput
from model.tasks import EntityKind
from tests.model.network.made_networks import CLASSES, moved, tasks_of

ROWS, LENGTH, CHANNELS = 6, 5, 4


def test_numbers_are_scaled_by_their_spread_and_bounded() -> None:
    numbers = torch.randn(2000, 3) * torch.tensor([1.0, 100.0, 0.0]) + torch.tensor([0.0, 7.0, 5.0])
    layer = NumericInput(3)
    layer.fit_scaling(numbers)
    scaled = layer(numbers).detach()
    assert scaled.abs().max() <= 3
    assert scaled[:, :2].median(dim=0).values.abs().max() < 0.05
    assert 0.4 < float(scaled[:, 1].std()) < 1.2
    assert (scaled[:, 2] == 0).all(), "a constant is nothing"


def test_an_undefined_number_is_a_learned_value() -> None:
    layer = NumericInput(2)
    layer.fit_scaling(torch.tensor([[torch.nan, 1.0], [torch.nan, 2.0]]))
    with torch.no_grad():
        layer.undefined.copy_(torch.tensor([0.5, -0.5]))
    found = layer(torch.tensor([[torch.nan, torch.nan]]))
    assert found.tolist() == [[0.5, -0.5]]


def test_the_members_of_the_trunk_differ() -> None:
    trunk = EnsembleTrunk(5, 8, 4, dropout=0.0)
    x = torch.randn(ROWS, 5)
    members = trunk.first(x[:, None].expand(-1, 4, -1))
    assert members.shape == (ROWS, 4, 8)
    assert not torch.allclose(members[:, 0], members[:, 1])
    assert trunk(x).shape == (ROWS, 8)


def test_what_is_linear_reaches_the_state_beside_the_members() -> None:
    trunk = EnsembleTrunk(5, 8, 4, dropout=0.0)
    with torch.no_grad():
        trunk.first.scale_out.zero_()
        trunk.second.scale_out.zero_()
    x = torch.randn(ROWS, 5)
    assert torch.allclose(trunk(x), trunk.norm(trunk.linear(x)), atol=1e-6)


def pooling() -> SequencePooling:
    layer = SequencePooling(CHANNELS)
    moved(layer)
    return layer


def test_an_empty_sequence_is_zero() -> None:
    layer = pooling()
    nothing = torch.zeros(ROWS, LENGTH, dtype=torch.bool)
    found = layer(torch.randn(ROWS, LENGTH, CHANNELS), torch.rand(ROWS, LENGTH), nothing)
    assert found.shape == (ROWS, layer.outputs)
    assert (found == 0).all()


def test_padding_is_ignored() -> None:
    layer = pooling()
    events, gaps = torch.randn(ROWS, LENGTH, CHANNELS), torch.rand(ROWS, LENGTH)
    there = torch.rand(ROWS, LENGTH) < 0.6
    found = layer(events, gaps, there)
    events[~there], gaps[~there] = 1e3, 0.0
    torch.testing.assert_close(layer(events, gaps, there), found)


def test_pooling_is_a_mean_that_does_not_depend_on_the_order() -> None:
    layer = pooling()
    events, gaps = torch.randn(ROWS, LENGTH, CHANNELS), torch.rand(ROWS, LENGTH)
    there = torch.ones(ROWS, LENGTH, dtype=torch.bool)
    order = torch.randperm(LENGTH)
    found = layer(events, gaps, there)
    torch.testing.assert_close(layer(events[:, order], gaps[:, order], there), found)
    same = events[:, :1].expand(-1, LENGTH, -1)
    repeated = same[:, 0].repeat(1, layer.outputs // CHANNELS)
    torch.testing.assert_close(layer(same, gaps, there), repeated)


def test_newer_events_count_more_in_the_decays() -> None:
    layer = SequencePooling(1)
    events = torch.tensor([[[1.0], [0.0]]])
    there = torch.ones(1, 2, dtype=torch.bool)
    newer = layer(events, torch.tensor([[0.0, 3.0]]), there)
    older = layer(events, torch.tensor([[3.0, 0.0]]), there)
    assert (newer[0, :2] > 0.5).all()
    assert (older[0, :2] < 0.5).all()


def test_training_starts_as_a_plain_shared_bottom() -> None:
    """No mixing of tasks and no transformation: heads on one shared state."""
    layout = Layout(tasks_of("user"))
    embeddings, stage = TaskEmbeddings(len(layout), 5, 2), TaskStage(layout, 8, 5)
    assert torch.equal(embeddings(), embeddings.own)
    state = torch.randn(ROWS, 8)
    found = stage(state, embeddings())
    features = functional.silu(state)
    for index, group in enumerate(layout.groups):
        heads = stage.head_weights[index](embeddings.own[group.task_slice])
        heads = heads.view(len(group.tasks) * group.parameters, 8)
        torch.testing.assert_close(found[:, group.column_slice], features @ heads.T)


def test_an_edge_of_the_feature_graph_mixes_two_tasks() -> None:
    embeddings = TaskEmbeddings(4, 5, 2)
    correlation = torch.tensor([[1.0, 0.1, 0.9], [0.0, 1.0, 0.0], [0.9, 0.1, 1.0]])
    embeddings.connect(Neighbours.strongest(correlation, 2), first=1)
    own = embeddings.own.detach()
    assert torch.equal(embeddings(), own), "edges weigh nothing at the start"
    with torch.no_grad():
        embeddings.weight[1, 0] = 0.5
        embeddings.weight[2] = 9.0  # has no edge
    expected = torch.stack([own[0], own[1] + 0.5 * own[3], own[2], own[3]])
    torch.testing.assert_close(embeddings(), expected)


@pytest.mark.parametrize("entity", ["user", "item"])
def test_some_tasks_have_the_parameters_that_they_have_among_all(entity: EntityKind) -> None:
    tasks = [
        task.model_copy(update={"declared_as": "each"}) if "buys" in task.name else task
        for task in tasks_of(entity)
    ]
    layout = Layout(tasks, CLASSES)
    stage = TaskStage(layout, 8, 5)
    moved(stage)
    embeddings, state = torch.randn(len(layout), 5), torch.randn(ROWS, 8)
    whole = stage(state, embeddings)
    for chosen in ([0], [1, 3], [4, 2, 0], range(len(layout))):
        some = SomeTasks.at(layout, list(chosen))
        found = stage(state, embeddings, some)
        torch.testing.assert_close(found, whole[:, some.columns])


def test_a_family_shares_its_features_and_no_more() -> None:
    one = tasks_of("user")[0]
    family = [
        one.model_copy(update={"name": f"views__{n}", "declared_as": "views"}) for n in range(4)
    ]
    alone = one.model_copy(update={"name": "alone"})
    layout = Layout([family[0], alone, *family[1:]])
    stage = TaskStage(layout, 8, 5)
    moved(stage)
    embeddings, state = torch.randn(5, 5), torch.randn(ROWS, 8)
    mean = embeddings[[0, 2, 3, 4]].mean(dim=0)
    found = stage(state, embeddings)
    for position, own in enumerate(embeddings):
        scale, shift = stage.film(own if position == 1 else mean).chunk(2)
        head = stage.head_weights[0](own) + stage.private[0][position, 0]
        features = functional.silu(state * (1 + scale) + shift)
        torch.testing.assert_close(found[:, position], features @ head + stage.bias[position])


@pytest.mark.parametrize("change", range(5))
def test_a_tasks_parameters_depend_on_its_own_embedding_alone(change: int) -> None:
    layout = Layout(tasks_of("user"))
    stage = TaskStage(layout, 8, 5)
    moved(stage)
    embeddings, state = torch.randn(len(layout), 5), torch.randn(ROWS, 8)
    before = stage(state, embeddings)
    embeddings[change] += 1.0
    moved_columns = (
        ((stage(state, embeddings) - before).abs() > 1e-6).any(dim=0).nonzero().flatten()
    )
    own = layout.columns_of(layout.tasks[change].name)
    assert set(moved_columns.tolist()) == set(range(own.start, own.stop))
