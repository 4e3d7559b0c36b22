"""What boosted trees say of some parameters: a third voice beside shared state and private head.

Trees cut the features where the network bends them, so that both err in different ways, and their
mean (`model.network.voices`) is better than either. They are not learned here: training grows
them (`model.training.boosting`). The exported network has ONNX's own operator for them.

B = rows, F = features, N = nodes, M = trees, H = heads, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.compiled import COMPILED
from model.network.some_tasks import SomeTasks
from model.network.tree_kernel import add_trees

MISSING = -1e30
"""Stands for a number that is missing: trees put it below all others."""
_DOMAIN, _OPERATOR = "ai.onnx.ml", "TreeEnsembleRegressor"


@dataclass(frozen=True)
class Tree:
    """One tree; its root is node 0.

    Attributes:
        feature: (N,) which feature a node asks for.
        threshold: (N,) up to here it goes on to `low`, beyond to `high`.
        low: (N,) the next node; a leaf's is itself.
        high: (N,) the same.
        value: (N,) what a leaf adds, else 0.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    value: NDArray[np.float32]

    @property
    def depth(self) -> int:
        """How many questions lead to its deepest leaf."""
        level, depth = np.array([0]), 0
        while True:
            below = np.unique(np.concatenate([self.low[level], self.high[level]]))
            level = np.setdiff1d(below, level)
            if not len(level):
                return depth
            depth += 1


@dataclass(frozen=True)
class Head:
    """The trees of one parameter, perhaps of several tasks.

    Attributes:
        columns: of the layout; the same is said of each.
        start: what is said before any tree.
        trees: whose values are added.
    """

    columns: tuple[int, ...]
    start: float
    trees: tuple[Tree, ...]


class BoostedHeads(nn.Module):
    """All boosted heads of an entity kind.

    Shape:
        features_BF: see `features_of`
        returns:     (B, H)

    Args:
        heads: at least one, with a tree.
        columns: of the layout.
    """

    head_of_column: Tensor
    start: Tensor
    head: Tensor
    root: Tensor
    feature: Tensor
    threshold: Tensor
    low: Tensor
    high: Tensor
    value: Tensor
    depth: Tensor

    def __init__(self, heads: Sequence[Head], columns: int) -> None:
        super().__init__()
        trees = [tree for head in heads for tree in head.trees]
        sizes = [len(tree.feature) for tree in trees]
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        head_of_column = np.full(columns, -1)
        for number, head in enumerate(heads):
            head_of_column[list(head.columns)] = number
        arrays = {
            "head_of_column": head_of_column,
            "start": np.array([head.start for head in heads], dtype=np.float32),
            "head": np.repeat(np.arange(len(heads)), [len(head.trees) for head in heads]),
            "root": roots,
            "feature": np.concatenate([tree.feature for tree in trees]),
            "threshold": np.concatenate([tree.threshold for tree in trees]),
            "low": np.concatenate([t.low + root for t, root in zip(trees, roots, strict=True)]),
            "high": np.concatenate([t.high + root for t, root in zip(trees, roots, strict=True)]),
            "value": np.concatenate([tree.value for tree in trees]),
            "depth": np.array(max(tree.depth for tree in trees)),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array)))

    def forward(self, features_BF: Tensor) -> Tensor:  # noqa: D102
        if torch.onnx.is_in_onnx_export():
            return self._as_operator(features_BF)
        said = self.start.repeat(len(features_BF), 1)
        if COMPILED:
            nodes = (self.feature, self.threshold, self.low, self.high, self.value)
            arrays = (features_BF.contiguous(), self.root, self.head, *nodes, said)
            add_trees(*(array.numpy() for array in arrays))
            return said
        at_BM = self.root.expand(len(features_BF), -1)
        for _ in range(int(self.depth)):
            goes_low = features_BF.gather(1, self.feature[at_BM]) <= self.threshold[at_BM]
            at_BM = torch.where(goes_low, self.low[at_BM], self.high[at_BM])
        return said.index_add(1, self.head, self.value[at_BM])

    def by_column(self, features_BF: Tensor, some: SomeTasks | None = None) -> Tensor | None:
        """(B, columns) of some tasks, all by default; None where they have no trees.

        A column without trees repeats another's.
        """
        head_of_column = self.head_of_column
        if some is not None and not some.is_all:
            head_of_column = head_of_column[some.columns]
            if (head_of_column < 0).all():
                return None
        said: Tensor = self(features_BF)[:, head_of_column.clamp_min(0)]
        return said

    @classmethod
    def of_weights(cls, weights: Mapping[str, Tensor], prefix: str) -> BoostedHeads | None:
        """From a network's weights, None where they have no trees."""
        own = {name.removeprefix(prefix): w for name, w in weights.items() if prefix in name}
        return cls._of(own) if own else None

    def of_columns(self, columns: Tensor) -> BoostedHeads:
        """For a layout that has some of the columns alone; all trees stay."""
        return self._of(
            {**dict(self.named_buffers()), "head_of_column": self.head_of_column[columns]}
        )

    @classmethod
    def _of(cls, buffers: Mapping[str, Tensor]) -> BoostedHeads:
        heads = cls.__new__(cls)
        nn.Module.__init__(heads)
        for name, buffer in buffers.items():
            heads.register_buffer(name, buffer)
        return heads

    def _as_operator(self, features_BF: Tensor) -> Tensor:
        """Its name alone: the exporter is slow with long attributes, `complete` writes them."""
        return torch.onnx.ops.symbolic(
            f"{_DOMAIN}::{_OPERATOR}",
            (features_BF,),
            dtype=torch.float32,
            shape=(features_BF.shape[0], len(self.start)),
            version=3,
        )

    def complete(self, node: onnx.NodeProto) -> None:
        """Write the trees into their operator of an exported network.

        See https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html.
        """
        nodes = torch.arange(len(self.feature))
        tree = torch.bucketize(nodes, self.root, right=True) - 1
        first = self.root[tree]
        leaf = self.low == nodes
        attributes = {
            "n_targets": len(self.start),
            "base_values": self.start.tolist(),
            "nodes_treeids": tree.tolist(),
            "nodes_nodeids": (nodes - first).tolist(),
            "nodes_modes": ["LEAF" if ends else "BRANCH_LEQ" for ends in leaf.tolist()],
            "nodes_featureids": self.feature.tolist(),
            "nodes_values": self.threshold.tolist(),
            "nodes_truenodeids": (self.low - first).tolist(),
            "nodes_falsenodeids": (self.high - first).tolist(),
            "target_treeids": tree[leaf].tolist(),
            "target_nodeids": (nodes - first)[leaf].tolist(),
            "target_ids": self.head[tree][leaf].tolist(),
            "target_weights": self.value[leaf].tolist(),
        }
        node.attribute.extend(onnx.helper.make_attribute(*pair) for pair in attributes.items())


def is_trees(node: onnx.NodeProto) -> bool:
    """Whether it is what an export leaves for `BoostedHeads.complete`."""
    return (node.domain, node.op_type) == (_DOMAIN, _OPERATOR)


def features_of(numbers_BF: Tensor, categories_BA: Tensor) -> Tensor:
    """(B, F) what trees ask for: the numbers, then the codes of the categories."""
    known = torch.where(numbers_BF.isnan(), MISSING, numbers_BF)
    return torch.cat([known, categories_BA.to(known.dtype)], dim=1)
