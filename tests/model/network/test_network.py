from __future__ import annotations

import pytest
import torch

from model.network import KindShape, SSMTLNetwork
from model.tasks import EntityKind
from tests.model.network.made_networks import (
    CONFIG,
    ITEMS,
    KINDS,
    LENGTH,
    NUMBERS,
    TYPES,
    layout_of,
    made_batch,
    made_labels,
    made_network,
    taken,
)

ROWS = 12


@pytest.fixture
def network() -> SSMTLNetwork:
    return made_network()


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_shapes(network: SSMTLNetwork, entity: EntityKind) -> None:
    kind = network.kind(entity)
    state, marginals = network.marginals(entity, made_batch(ROWS))
    assert state.shape == (ROWS, CONFIG.width)
    assert marginals.shape == (ROWS, kind.layout.columns)
    nll = kind.nll(marginals, made_labels(kind.layout, ROWS))
    assert nll.shape == (ROWS, len(kind.layout))


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_a_row_does_not_depend_on_the_others(network: SSMTLNetwork, entity: EntityKind) -> None:
    batch = made_batch(ROWS)
    _, together = network.marginals(entity, batch)
    for row in range(ROWS):
        _, alone = network.marginals(entity, taken(batch, torch.tensor([row])))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_the_order_of_rows_does_not_matter(network: SSMTLNetwork, entity: EntityKind) -> None:
    batch, order = made_batch(ROWS), torch.randperm(ROWS)
    _, marginals = network.marginals(entity, batch)
    _, permuted = network.marginals(entity, taken(batch, order))
    torch.testing.assert_close(permuted, marginals[order], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("entity", KINDS)
def test_undefined_numbers_give_finite_outputs_and_gradients(
    network: SSMTLNetwork, entity: EntityKind
) -> None:
    batch = made_batch(ROWS, undefined=1.0)
    batch.numbers[0] = torch.tensor([1e30, -1e30, 0, torch.inf, -torch.inf, 1, torch.nan])
    kind = network.kind(entity)
    _, marginals = network.marginals(entity, batch)
    assert marginals.isfinite().all()
    nll = kind.nll(marginals, made_labels(kind.layout, ROWS, missing=0.5))
    torch.where(nll.isnan(), 0.0, nll).sum().backward()
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)


@torch.no_grad()
def test_what_an_event_without_a_known_type_holds_does_not_matter(network: SSMTLNetwork) -> None:
    batch = made_batch(ROWS)
    _, marginals = network.marginals("user", batch)
    padding = batch.types == 0
    assert padding.any()
    batch.items[padding] = torch.randint(0, ITEMS + 1, (int(padding.sum()),))
    batch.gaps[padding] = 9.0
    batch.amounts[padding] = -9.0
    _, changed = network.marginals("user", batch)
    torch.testing.assert_close(changed, marginals)


@torch.no_grad()
def test_longer_padding_changes_nothing(network: SSMTLNetwork) -> None:
    batch = made_batch(ROWS)
    _, marginals = network.marginals("user", batch)
    longer = {
        name: torch.cat([torch.zeros_like(value), value], dim=1)
        if name in {"items", "types", "gaps", "amounts"}
        else value
        for name, value in vars(batch).items()
    }
    _, padded = network.marginals("user", type(batch)(**longer))
    torch.testing.assert_close(padded, marginals, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_an_item_is_read_from_its_own_code_and_no_sequence(network: SSMTLNetwork) -> None:
    batch = made_batch(ROWS)
    _, marginals = network.marginals("item", batch)
    batch.items.zero_()
    batch.types.zero_()
    torch.testing.assert_close(network.marginals("item", batch)[1], marginals)
    batch.item.copy_((batch.item + 1) % (ITEMS + 1))
    assert not torch.allclose(network.marginals("item", batch)[1], marginals)


def test_kinds_share_the_embeddings_of_items_and_types(network: SSMTLNetwork) -> None:
    assert all(network.kind(entity).embeddings is network.embeddings for entity in KINDS)
    assert network.embeddings.item.num_embeddings == ITEMS + 1
    assert network.embeddings.event_type.num_embeddings == TYPES + 1


def test_training_is_random_and_evaluation_is_not(network: SSMTLNetwork) -> None:
    batch = made_batch(ROWS)
    with torch.no_grad():
        first, second = (network.marginals("user", batch)[1] for _ in range(2))
        assert torch.equal(first, second)
        network.train()
        first, second = (network.marginals("user", batch)[1] for _ in range(2))
        assert not torch.equal(first, second)


def test_one_kind_alone_is_a_network() -> None:
    shape = KindShape("user", NUMBERS, (), layout_of("user"))
    network = SSMTLNetwork([shape], ITEMS, TYPES, CONFIG)
    batch = made_batch(ROWS)
    assert batch.types.shape == (ROWS, LENGTH)
    _, marginals = network.marginals("user", batch)
    assert marginals.isfinite().all()
    with pytest.raises(KeyError):
        network.kind("item")
