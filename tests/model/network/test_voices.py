from __future__ import annotations

import pytest
import torch

from model.network import SomeTasks, SSMTLNetwork
from model.network.voices import even_shares
from model.tasks import EntityKind
from tests.model.network.made_networks import KINDS, made_batch, made_boosted, made_network

ROWS = 20


@pytest.fixture
def network() -> SSMTLNetwork:
    torch.manual_seed(0)
    return made_network()


def test_at_first_all_voices_that_are_there_count_alike() -> None:
    shares = even_shares(torch.tensor([True, False]))
    assert shares.shape == (3, 2)
    torch.testing.assert_close(shares[:, 0], torch.full((3,), 1 / 3))
    assert shares[:, 1].tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_an_answer_is_the_mean_of_the_voices_by_their_shares(
    network: SSMTLNetwork, entity: EntityKind
) -> None:
    kind, batch = network.kind(entity), made_batch(ROWS)
    state, without = network.marginals(entity, batch)
    shared = network.shared_parameters(entity, state)
    private = kind.private_parameters(batch.numbers)
    torch.testing.assert_close(without, (shared + private) / 2)
    kind.add_trees(made_boosted(kind))
    kind.voices.shares.mul_(torch.rand(kind.voices.shares.shape))
    said = kind.said(shared, private, batch.numbers, batch.categories)
    _, answer = network.marginals(entity, batch)
    torch.testing.assert_close(answer, (torch.stack(said) * kind.voices.shares[:, None]).sum(dim=0))
    some = SomeTasks.at(kind.layout, range(0, len(kind.layout), 2))
    of_some = [voice[:, some.columns] for voice in said]
    torch.testing.assert_close(kind.voices(of_some, some), answer[:, some.columns])


@torch.no_grad()
def test_trees_have_no_part_in_parameters_that_they_know_nothing_of(network: SSMTLNetwork) -> None:
    kind, batch = network.kind("user"), made_batch(ROWS)
    _, before = network.marginals("user", batch)
    kind.add_trees(made_boosted(kind))
    _, after = network.marginals("user", batch)
    differs = ~torch.isclose(before, after).all(dim=0)
    assert differs.equal(kind.has_trees)
