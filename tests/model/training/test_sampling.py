"""Of many tasks a step computes some, and the loss stays the same in expectation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from model.config import Config
from model.network import KindNetwork
from model.training.loss import TaskWeights
from model.training.preparation import Prepared
from model.training.sampling import TaskSampler, chance_of_any

MANY = 6000
ROWS = np.arange(20)


@pytest.fixture
def kind(prepared: Prepared, config: Config) -> KindNetwork:
    return prepared.network(config).kind("user")


def weights_of(kind: KindNetwork) -> TaskWeights:
    return TaskWeights(torch.linspace(0.5, 2.0, len(kind.layout)))


def test_few_tasks_are_all_asked_and_nothing_is_drawn(
    kind: KindNetwork, prepared: Prepared
) -> None:
    sampler = TaskSampler(kind, weights_of(kind), len(kind.layout))
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    asked, related = sampler.ask(prepared.training["user"], ROWS, generator)
    assert asked is related
    assert asked.some.is_all
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(asked.weights.values, weights_of(kind).values)


def test_what_tasks_count_is_right_in_expectation(kind: KindNetwork, prepared: Prepared) -> None:
    weights, examples = weights_of(kind), prepared.training["user"]
    sampler = TaskSampler(kind, weights, most=3)
    generator = torch.Generator().manual_seed(0)
    counted = torch.zeros(2, len(kind.layout))
    for _ in range(MANY):
        for index, asked in enumerate(sampler.ask(examples, ROWS, generator)):
            counted[index, asked.some.positions] += asked.weights.values / MANY
    torch.testing.assert_close(counted[0], weights.values, rtol=0.1, atol=0)
    torch.testing.assert_close(counted[1], weights.values, rtol=0.15, atol=0)


def test_the_joint_head_is_asked_tasks_with_their_neighbours(
    kind: KindNetwork, prepared: Prepared
) -> None:
    sampler = TaskSampler(kind, weights_of(kind), most=2)
    generator = torch.Generator().manual_seed(0)
    sources = kind.joint.sources.tolist()
    for _ in range(20):
        _, related = sampler.ask(prepared.training["user"], ROWS, generator)
        chosen = set(related.some.order)
        assert any({task, *sources[task]} == chosen for task in chosen)


def test_some_tasks_have_their_own_labels(kind: KindNetwork, prepared: Prepared) -> None:
    examples = prepared.training["user"]
    sampler = TaskSampler(kind, weights_of(kind), most=3)
    asked, _ = sampler.ask(examples, ROWS, torch.Generator().manual_seed(1))
    whole = dict(zip(kind.layout.groups, examples.labels, strict=True))
    for group, labels in zip(asked.some.layout.groups, asked.labels, strict=True):
        for index, task in enumerate(group.tasks):
            of_all = kind.layout.group(task.name)
            column = kind.layout.position(task.name) - of_all.first_task
            expected = whole[of_all][ROWS, column]
            torch.testing.assert_close(labels[:, index], expected, equal_nan=True)


@pytest.mark.parametrize("drawn", [1, 3, 9])
def test_the_chance_of_any_marked_task(drawn: int) -> None:
    marked = torch.arange(11)
    expected = [1 - math.comb(10 - m, drawn) / math.comb(10, drawn) for m in range(11)]
    found = chance_of_any(marked, drawn, tasks=10)
    torch.testing.assert_close(found, torch.tensor(expected))
