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
from model.network.likelihoods import nll_of_all
from model.network.voices import even_shares
from model.snapshots import Outlook
from model.training.calibration import ONE_FOR_ALL, one_of_task
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
    moves_VO = (even_VO > 0).float()[: len(said)]
    weights_VO = even_VO[: len(said)].clone().requires_grad_()
    shift_O = torch.zeros(layout.columns, requires_grad=True)
    task_of_column = torch.tensor(layout.task_of_column)
    optimizer = torch.optim.LBFGS([weights_VO, shift_O], max_iter=80, line_search_fn="strong_wolfe")
    said_VRO = torch.stack(list(said))

    def stacked() -> Tensor:
        return torch.stack([one_of_task(layout, of_voice) for of_voice in weights_VO * moves_VO])

    def closure() -> Tensor:
        optimizer.zero_grad()
        found_VO = stacked()
        parameters_RO = torch.einsum("vro,vo->ro", said_VRO, found_VO) + shift_O
        nll = nll_of_all(layout, parameters_RO, labels)
        known = ~nll.isnan()
        rows = known.sum(dim=0).clamp_min(1)
        mean = torch.where(known, nll * weights_R[:, None], 0.0).sum(dim=0) / rows
        pull_O = (_PULL / rows)[task_of_column]
        total_O = found_VO.sum(dim=0)
        uneven_O = (found_VO - even_VO[: len(said)] * total_O).square().sum(dim=0)
        away_O = uneven_O + (total_O - 1).square() + shift_O.square()
        loss = mean.sum() + (pull_O * away_O).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
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
