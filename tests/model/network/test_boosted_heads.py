from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from model.network import SomeTasks, SSMTLNetwork, boosted_heads
from model.network.boosted_heads import BoostedHeads, features_of
from tests.model.network.made_networks import KINDS, made_batch, made_boosted, made_network

ROWS = 50


@pytest.fixture
def network() -> SSMTLNetwork:
    torch.manual_seed(0)
    return made_network()


def by_hand(heads: BoostedHeads, features: list[float]) -> list[float]:
    """One row, from node to node."""
    said = heads.start.tolist()
    for root, head in zip(heads.root.tolist(), heads.head.tolist(), strict=True):
        at = root
        while int(heads.low[at]) != at:
            low = features[int(heads.feature[at])] <= float(heads.threshold[at])
            at = int((heads.low if low else heads.high)[at])
        said[head] += float(heads.value[at])
    return said


@pytest.mark.parametrize("compiled", [True, False])
def test_every_tree_adds_the_value_of_the_leaf_that_a_row_falls_into(
    network: SSMTLNetwork, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    monkeypatch.setattr(boosted_heads, "COMPILED", compiled)
    heads = made_boosted(network.kind("user"))
    batch = made_batch(ROWS)
    features = features_of(batch.numbers, batch.categories)
    expected = [by_hand(heads, row) for row in features.tolist()]
    torch.testing.assert_close(heads(features), torch.tensor(expected))
    assert len(np.unique(heads(features)[:, 0])) > 3


def test_a_missing_number_lies_below_all_others() -> None:
    numbers = torch.tensor([[torch.nan], [-1e6], [0.0]])
    features = features_of(numbers, torch.tensor([[3], [0], [1]]))
    assert not features.isnan().any()
    assert features[:, 0].argmin() == 0
    assert features[:, 1].tolist() == [3, 0, 1]


@pytest.mark.parametrize("entity", KINDS)
@torch.no_grad()
def test_a_column_has_what_the_trees_of_its_head_say(network: SSMTLNetwork, entity: str) -> None:
    kind, batch = network.kind(entity), made_batch(ROWS)  # type: ignore[arg-type]
    heads = made_boosted(kind)
    features = features_of(batch.numbers, batch.categories)
    said, by_column = heads(features), heads.by_column(features)
    assert by_column is not None
    for column, head in enumerate(heads.head_of_column.tolist()):
        if head >= 0:
            torch.testing.assert_close(by_column[:, column], said[:, head])
    some = SomeTasks.at(kind.layout, range(0, len(kind.layout), 2))
    torch.testing.assert_close(heads.by_column(features, some), by_column[:, some.columns])


@torch.no_grad()
def test_of_tasks_without_trees_they_say_nothing(network: SSMTLNetwork) -> None:
    kind, batch = network.kind("user"), made_batch(ROWS)
    heads = made_boosted(kind)
    without = [
        position
        for position, task in enumerate(kind.layout.tasks)
        if (heads.head_of_column[kind.layout.columns_of(task.name)] < 0).all()
    ]
    features = features_of(batch.numbers, batch.categories)
    assert heads.by_column(features, SomeTasks.at(kind.layout, without)) is None


def test_they_are_kept_with_the_weights(network: SSMTLNetwork) -> None:
    kind = network.kind("user")
    kind.boosted = made_boosted(kind)
    kept = BoostedHeads.of_weights(network.state_dict(), "kinds.user.boosted.")
    assert kept is not None
    features = torch.randn(ROWS, 9)
    torch.testing.assert_close(kept(features), kind.boosted(features), rtol=0, atol=0)
    assert BoostedHeads.of_weights(network.state_dict(), "kinds.item.boosted.") is None


def test_the_operator_has_every_node_once(network: SSMTLNetwork) -> None:
    heads = made_boosted(network.kind("user"))
    node = onnx.helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml")
    assert boosted_heads.is_trees(node)
    heads.complete(node)
    told = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    places = set(zip(told["nodes_treeids"], told["nodes_nodeids"], strict=True))
    assert len(places) == len(heads.feature)
    assert told["n_targets"] == len(heads.start)
    onnx.checker.check_node(node, _context())


def _context() -> onnx.checker.C.CheckerContext:
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": 20, "ai.onnx.ml": 3}
    return context
