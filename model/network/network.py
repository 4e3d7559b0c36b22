"""The SSMTL network: one trunk per entity kind, shared embeddings, a task stage and a joint head.

B = rows, F = numeric features, A = categorical attributes, L = events of a sequence,
T = tasks, D = channels of the state
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model.config import Config
from model.distributions import Layout
from model.network.boosted_heads import BoostedHeads, features_of
from model.network.joint_head import JointHead
from model.network.likelihoods import nll_of_all
from model.network.neighbours import Neighbours
from model.network.private_heads import PrivateHeads
from model.network.sequence import SequencePooling
from model.network.some_tasks import SomeTasks
from model.network.task_stage import TaskEmbeddings, TaskStage
from model.network.trunk import EnsembleTrunk, NumericInput
from model.network.voices import Voices, even_shares
from model.tasks import EntityKind


@dataclass(frozen=True)
class KindShape:
    """How large the inputs of an entity kind are."""

    entity: EntityKind
    numbers: int
    category_sizes: tuple[int, ...]
    layout: Layout


@dataclass(frozen=True)
class Batch:
    """The network's inputs for B rows of one entity kind, as tensors.

    `items`, `types`, `gaps` and `amounts` are the sequence (B, L); `item` is the row's own item.
    """

    numbers: Tensor
    categories: Tensor
    item: Tensor
    items: Tensor
    types: Tensor
    gaps: Tensor
    amounts: Tensor

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Batch:
        """From `SnapshotReader.arrays`."""
        return cls(**{name: torch.from_numpy(array) for name, array in arrays.items()})


class EventEmbeddings(nn.Module):
    """Vectors of items and event types, shared by all entity kinds; code 0 is unknown or none."""

    def __init__(self, items: int, event_types: int, channels: int) -> None:
        super().__init__()
        self.item = nn.Embedding(items + 1, channels)
        self.event_type = nn.Embedding(event_types + 1, channels)
        nn.init.normal_(self.item.weight, std=0.1)
        nn.init.normal_(self.event_type.weight, std=0.1)


class KindNetwork(nn.Module):
    """Trunk, task stage, private heads and joint head of one entity kind.

    Attributes:
        boosted: the trees of some parameters; none until they are grown, see `add_trees`.
        voices: how much trunk and stage, private heads and trees count.
    """

    def __init__(self, shape: KindShape, embeddings: EventEmbeddings, config: Config) -> None:
        super().__init__()
        channels = config.embedding
        self.entity = shape.entity
        self.layout = shape.layout
        self.embeddings = embeddings
        self.numeric = NumericInput(shape.numbers)
        self.categories = nn.ModuleList(
            nn.Embedding(size + 1, channels) for size in shape.category_sizes
        )
        inputs = shape.numbers + channels * len(shape.category_sizes)
        if shape.entity != "item":
            self.pooling = SequencePooling(channels)
            self.event_amount = nn.Linear(1, channels, bias=False)
            inputs += self.pooling.outputs
        if shape.entity != "user":
            inputs += channels
        if shape.entity == "pair":
            inputs += 1
        self.trunk = EnsembleTrunk(inputs, config.width, config.members, config.dropout)
        self.stage = TaskStage(self.layout, config.width, config.task_channels)
        self.private = PrivateHeads(self.layout, shape.numbers)
        self.boosted: BoostedHeads | None = None
        self.voices = Voices(self.layout.columns)
        self.joint = JointHead(
            self.layout, config.width, config.evidence_channels, config.neighbours
        )
        self.reconstruct = nn.Linear(config.width, shape.numbers)

    def state(self, batch: Batch) -> Tensor:
        """The shared state (B, D)."""
        parts = [self.numeric(batch.numbers)]
        parts += [
            embedding(batch.categories[:, column])
            for column, embedding in enumerate(self.categories)
        ]
        if self.entity != "user":
            item_BC = self.embeddings.item(batch.item)
            parts.append(item_BC)
        if self.entity != "item":
            pooled = self._pooled(batch)
            parts.append(pooled)
        if self.entity == "pair":
            # How close the item is to what the user met: the first pooling decays most slowly.
            likeness = (pooled[:, : item_BC.shape[1]] * item_BC).sum(dim=1, keepdim=True)
            parts.append(likeness)
        state: Tensor = self.trunk(torch.cat(parts, dim=1))
        return state

    def _pooled(self, batch: Batch) -> Tensor:
        events_BLC = (
            self.embeddings.item(batch.items)
            + self.embeddings.event_type(batch.types)
            + self.event_amount(batch.amounts[..., None])
        )
        pooled: Tensor = self.pooling(events_BLC, batch.gaps, batch.types > 0)
        return pooled

    def private_parameters(self, numbers_BF: Tensor, some: SomeTasks | None = None) -> Tensor:
        """(B, columns) what the tasks' private heads say, all tasks' by default."""
        scaled_BF = self.numeric(numbers_BF).detach()
        parameters: Tensor = self.private(scaled_BF, some)
        return parameters

    def add_trees(self, heads: BoostedHeads | None) -> None:
        """Give some parameters a third voice, which counts as much as the others."""
        self.boosted = heads
        self.voices.shares.copy_(even_shares(self.has_trees))

    @property
    def has_trees(self) -> Tensor:
        """(columns,) of bool."""
        if self.boosted is None:
            return torch.zeros(self.layout.columns, dtype=torch.bool)
        return self.boosted.head_of_column >= 0

    def said(
        self,
        shared_BO: Tensor,
        private_BO: Tensor,
        numbers_BF: Tensor,
        categories_BA: Tensor,
        some: SomeTasks | None = None,
    ) -> list[Tensor]:
        """(B, columns) of every voice on some tasks; without trees there are two.

        Trees say something arbitrary of parameters that they know nothing of.
        """
        trees = None
        if self.boosted is not None:
            trees = self.boosted.by_column(features_of(numbers_BF, categories_BA), some)
        return [shared_BO, private_BO] if trees is None else [shared_BO, private_BO, trees]

    @torch.no_grad()
    def start_at(self, parameters_O: Tensor) -> None:
        """Let every head say this of everybody before anything is learned."""
        self.stage.bias.copy_(parameters_O)
        self.private.bias.copy_(parameters_O)

    def nll(self, parameters_BO: Tensor, labels: Sequence[Tensor]) -> Tensor:
        """(B, T) nats per row and task, NaN where the label is missing."""
        return nll_of_all(self.layout, parameters_BO, labels)


class SSMTLNetwork(nn.Module):
    """All entity kinds together.

    Args:
        shapes: one per entity kind that has tasks.
        items: how many items have an embedding.
        event_types: how many event types there are.
        config: sizes.
    """

    def __init__(
        self, shapes: Sequence[KindShape], items: int, event_types: int, config: Config
    ) -> None:
        super().__init__()
        self.embeddings = EventEmbeddings(items, event_types, config.embedding)
        self.kinds = nn.ModuleDict(
            {shape.entity: KindNetwork(shape, self.embeddings, config) for shape in shapes}
        )
        self.layouts = {
            shape.entity: kind.layout
            for shape, kind in zip(shapes, self.kinds.values(), strict=True)
            if isinstance(kind, KindNetwork)
        }
        names = [task.name for layout in self.layouts.values() for task in layout.tasks]
        self.task_names = tuple(names)
        self.task_embeddings = TaskEmbeddings(len(names), config.task_channels, config.neighbours)

    def kind(self, entity: EntityKind) -> KindNetwork:
        """The part of one entity kind."""
        network = self.kinds[entity]
        assert isinstance(network, KindNetwork)
        return network

    def connect(self, entity: EntityKind, neighbours: Neighbours) -> None:
        """Give the tasks of an entity kind edges from their neighbours, in both graphs."""
        self.kind(entity).joint.connect(neighbours)
        self.task_embeddings.connect(neighbours, self._task_slice(entity).start)

    def marginals(self, entity: EntityKind, batch: Batch) -> tuple[Tensor, Tensor]:
        """The shared state (B, D) and every task's parameters (B, columns), nothing known."""
        kind = self.kind(entity)
        state = kind.state(batch)
        shared = self.shared_parameters(entity, state)
        private = kind.private_parameters(batch.numbers)
        said = kind.said(shared, private, batch.numbers, batch.categories)
        return state, kind.voices(said)

    def shared_parameters(
        self, entity: EntityKind, state_BD: Tensor, some: SomeTasks | None = None
    ) -> Tensor:
        """(B, columns) what the shared state says of some tasks, all of them by default."""
        embeddings = self.task_embeddings()[self._task_slice(entity)]
        stage = self.kind(entity).stage
        asked = () if some is None or some.is_all else (some,)
        parameters: Tensor = stage(state_BD, embeddings, *asked)
        return parameters

    def _task_slice(self, entity: EntityKind) -> slice:
        start = 0
        for name, layout in self.layouts.items():
            if name == entity:
                return slice(start, start + len(layout))
            start += len(layout)
        raise KeyError(entity)
