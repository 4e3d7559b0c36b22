"""Drops the self-supervised heads of a trained network."""

from __future__ import annotations

import torch

from model.config import Config
from model.distributions import Layout
from model.network import KindNetwork, KindShape, Neighbours, SomeTasks, SSMTLNetwork
from model.training.preparation import declared_tasks


@torch.no_grad()
def without_self_supervision(network: SSMTLNetwork, config: Config) -> SSMTLNetwork:
    """The same network for the declared tasks alone; what it says of them is unchanged.

    The mixing of task embeddings along the feature graph is carried out once and for all. An edge
    from a task that is dropped is none any more.
    """
    shapes = [_shape(network.kind(entity)) for entity in network.layouts]
    items = network.embeddings.item.num_embeddings - 1
    types = network.embeddings.event_type.num_embeddings - 1
    small = SSMTLNetwork(shapes, items, types, config)
    small.embeddings.load_state_dict(network.embeddings.state_dict())
    mixed = network.task_embeddings()
    small.task_embeddings.own.copy_(
        mixed[[network.task_names.index(name) for name in small.task_names]]
    )
    for entity in network.layouts:
        _copy_kind(network.kind(entity), small.kind(entity))
    return small.eval()


def _shape(kind: KindNetwork) -> KindShape:
    return KindShape(
        entity=kind.entity,
        numbers=len(kind.numeric.median),
        category_sizes=tuple(
            embedding.num_embeddings - 1
            for embedding in kind.categories
            if isinstance(embedding, torch.nn.Embedding)
        ),
        layout=Layout(declared_tasks(kind.layout), kind.layout.classes),
    )


def _copy_kind(whole: KindNetwork, small: KindNetwork) -> None:
    some = SomeTasks.at(whole.layout, [whole.layout.position(t.name) for t in small.layout.tasks])
    tasks, columns = some.positions, some.columns
    state = whole.state_dict()
    state["stage.bias"] = whole.stage.bias[columns]
    for name in ("message", "mix"):
        state[f"joint.{name}"] = state[f"joint.{name}"][tasks]
    neighbours = Neighbours(whole.joint.sources, whole.joint.strength).among(tasks)
    state["joint.sources"], state["joint.strength"] = neighbours.sources, neighbours.correlation
    state["joint.output"] = state["joint.output"][columns]
    state["private.bias"] = whole.private.bias[columns]
    state["voices.shares"] = whole.voices.shares[:, columns]
    by_group = ("stage.head_weights.", "stage.private.", "private.weights.")
    apart = (*by_group, "boosted.")
    kept = {name: value for name, value in state.items() if not name.startswith(apart)}
    of_whole = {
        (group.likelihood, group.parameters): i for i, group in enumerate(whole.layout.groups)
    }
    for index, group in enumerate(small.layout.groups):
        before = of_whole[group.likelihood, group.parameters]
        first = whole.layout.groups[before].first_task
        members = [whole.layout.position(task.name) - first for task in group.tasks]
        kept[f"stage.head_weights.{index}.weight"] = state[f"stage.head_weights.{before}.weight"]
        for name in ("stage.private", "private.weights"):
            kept[f"{name}.{index}"] = state[f"{name}.{before}"][members]
    small.load_state_dict(kept)
    if whole.boosted is not None:
        small.boosted = whole.boosted.of_columns(columns)
