"""How much each voice counts per parameter, found on validation rows.

Stacking (Wolpert, Neural Networks 5, 1992) in the space of parameters: weights per voice and a
shift, of the greatest likelihood, with a pull towards voices that count alike. What the weights add
up to is calibration's to say, so that only their proportions are kept. The periods, classes or bins
of a task have one share together.

    R = rows, V = voices, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from model.distributions import Layout
from model.network import KindNetwork, SomeTasks, SSMTLNetwork
from model.network.voices import even_shares
from model.snapshots import Outlook
from model.training.calibration import ONE_FOR_ALL, make_likely, may_shift, one_of_task
from model.training.examples import Examples
from model.training.preparation import declared_tasks
from model.training.scoring import said_by

MAX_TASKS = 64
"""Of an entity kind with more declared tasks all voices count alike: many have too few labels."""
_PULL = 20.0
"""How many rows' worth of evidence there is for even shares, and for weights that add up to one."""
_LEAST_SUM = 0.25
"""Weights that add up to less say that the voices know nothing, and not which one knows more."""

Shares = dict[str, list[list[float]]]
"""Per task the share of each voice in each of its parameters, or in all of them together."""


def learn_shares(
    network: SSMTLNetwork,
    kind: KindNetwork,
    validation: Examples,
    came_true: Mapping[str, Outlook],
) -> None:
    """Let each voice of a trained entity kind count by what it knew of the validation rows.

    Args:
        network: of all kinds.
        kind: whose declared tasks are looked at.
        validation: rows with labels.
        came_true: the outlooks as these labels show them.
    """
    layout = kind.layout
    declared = [layout.position(task.name) for task in declared_tasks(layout)]
    if len(declared) > MAX_TASKS:
        return
    some = SomeTasks.at(layout, declared)
    examples = validation.of_tasks(some)
    moved_RO = examples.moved_beyond(came_true)
    said = [voice + moved_RO for voice in said_by(network, kind, validation, some)]
    has_trees_O = kind.has_trees[some.columns]
    kind.voices.shares[:, some.columns] = fit_shares(
        some.layout, said, has_trees_O, examples.labels, examples.weights
    )


def fit_shares(
    layout: Layout,
    said: Sequence[Tensor],
    has_trees_O: Tensor,
    labels: list[Tensor],
    weights_R: Tensor,
) -> Tensor:
    """(V, O) the shares that make the validation rows most likely.

    Args:
        layout: the tasks.
        said: (R, O) of each voice; the last one may be missing.
        has_trees_O: of bool; elsewhere what the third voice says is not listened to.
        labels: per group, see `negative_log_likelihood`.
        weights_R: of the rows.
    """
    even_VO = even_shares(has_trees_O)
    spoken_VO = even_VO[: len(said)]
    weights_VO = spoken_VO.clone().requires_grad_()
    shift_O = torch.zeros(layout.columns, requires_grad=True)
    said_VRO = torch.stack(list(said))
    moves_O = may_shift(layout)

    def stacked() -> Tensor:
        there_VO = weights_VO * (spoken_VO > 0)
        return torch.stack([one_of_task(layout, of_voice) for of_voice in there_VO])

    def parameters() -> Tensor:
        return torch.einsum("vro,vo->ro", said_VRO, stacked()) + shift_O * moves_O

    def away() -> Tensor:
        found_VO = stacked()
        total_O = found_VO.sum(dim=0)
        uneven_O = (found_VO - spoken_VO * total_O).square().sum(dim=0)
        return uneven_O + (total_O - 1).square() + shift_O.square()

    free = [weights_VO, shift_O]
    make_likely(layout, free, parameters, away, labels, weights_R, _PULL, steps=80)
    found_VO = torch.zeros_like(even_VO)
    found_VO[: len(said)] = stacked().detach()
    total_O = found_VO.sum(dim=0)
    return torch.where(total_O > _LEAST_SUM, found_VO / total_O, even_VO)


def shares_of(kind: KindNetwork) -> Shares:
    """Those of the declared tasks."""
    found: Shares = {}
    for task in declared_tasks(kind.layout):
        shares = kind.voices.shares[:, kind.layout.columns_of(task.name)]
        if kind.layout.group(task.name).likelihood in ONE_FOR_ALL:
            shares = shares[:, :1]
        found[task.name] = shares.tolist()
    return found


def take_shares(kind: KindNetwork, shares: Shares) -> None:
    """Let the voices count as they did elsewhere; without trees the others have their share too.

    A task may have more classes here than there.
    """
    even_VO = even_shares(kind.has_trees)
    for name, of_task in shares.items():
        columns = kind.layout.columns_of(name)
        wanted = torch.tensor(of_task) * (even_VO[:, columns] > 0)
        total = wanted.sum(dim=0)
        kind.voices.shares[:, columns] = torch.where(
            total > _LEAST_SUM, wanted / total, even_VO[:, columns]
        )
