"""Trunk, sequence pooling and task stage, each alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from model.distributions import Layout
from model.network.sequence import SequencePooling
from model.network.task_stage import TaskEmbeddings, TaskStage
from model.network.trunk import EnsembleTrunk, NumericInput
from tests.model.network.made_networks import moved, tasks_of

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
    embeddings, stage = TaskEmbeddings(len(layout), 5), TaskStage(layout, 8, 5)
    assert torch.equal(embeddings(), embeddings.own)
    state = torch.randn(ROWS, 8)
    found = stage(state, embeddings())
    features = functional.silu(state)
    for index, group in enumerate(layout.groups):
        heads = stage.head_weights[index](embeddings.own[group.task_slice])
        heads = heads.view(len(group.tasks) * group.parameters, 8)
        torch.testing.assert_close(found[:, group.column_slice], features @ heads.T)


def test_an_edge_of_the_feature_graph_mixes_two_tasks() -> None:
    embeddings = TaskEmbeddings(3, 5)
    with torch.no_grad():
        embeddings.adjacency[0, 2] = 0.5
        embeddings.adjacency[1, 1] = 9.0
    own = embeddings.own.detach()
    expected = torch.stack([own[0] + 0.5 * own[2], own[1], own[2]])
    torch.testing.assert_close(embeddings(), expected, msg="the diagonal says nothing")


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
