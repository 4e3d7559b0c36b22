"""The training loss: marginals, private heads, the joint head under random evidence, and
self-supervision.

Every task counts in units of its climatology's NLL, so that no weights need to be set by hand.

    B = rows, T = tasks, O = columns of the layout
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from model.config import Config
from model.distributions import Layout
from model.network import Batch, KindNetwork, SomeTasks, SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.training.precision import Precision, state_of
from model.training.self_supervision import (
    is_self_supervised,
    mask_features,
    reconstruction_loss,
)

ITEM_DROPOUT = 0.05
"""Share of items read as unknown in training, so that new items are known as such."""
RESTORATION_SHARE = 0.1
"""Weight of restoring masked features, in units of the weight of self-supervision."""


@dataclass(frozen=True)
class TaskWeights:
    """(T,) how much a task's nats count: its share of the loss over its climatology's NLL."""

    values: Tensor

    @classmethod
    def of(cls, layout: Layout, climatology_nll_T: Tensor, config: Config) -> TaskWeights:
        """Declared tasks share 1 by their weights, self-supervised ones `self_supervision`."""
        generated = torch.tensor([is_self_supervised(task.name) for task in layout.tasks])
        wanted = torch.tensor([task.weight for task in layout.tasks])
        shares = torch.zeros(len(layout))
        for chosen, total in ((~generated, 1.0), (generated, config.self_supervision)):
            if bool(chosen.any()):
                shares[chosen] = total * wanted[chosen] / wanted[chosen].sum()
        return cls(shares / climatology_nll_T.clamp_min(1e-6))


def weighted_mean(nll_BT: Tensor, row_weights_B: Tensor, task_weights: TaskWeights) -> Tensor:
    """Mean over the known labels of each task, then the weighted sum over tasks."""
    known_BT = ~nll_BT.isnan()
    total_T = torch.where(known_BT, nll_BT * row_weights_B[:, None], 0.0).sum(dim=0)
    mean_T = total_T / known_BT.sum(dim=0).clamp_min(1)
    return (mean_T * task_weights.values).sum()


@dataclass(frozen=True)
class Asked:
    """Some tasks that a batch of rows is asked, with their answers.

    Attributes:
        some: which tasks, S of them.
        labels: per group of their layout, see `negative_log_likelihood`.
        offsets_BO: (B, columns) added to the network's output.
        weights: of these tasks.
    """

    some: SomeTasks
    labels: list[Tensor]
    offsets_BO: Tensor
    weights: TaskWeights

    def nll(self, parameters_BO: Tensor) -> Tensor:
        """(B, S) nats, NaN where the label is missing."""
        return nll_of_all(self.some.layout, parameters_BO, self.labels)


def training_loss(
    network: SSMTLNetwork,
    kind: KindNetwork,
    batch: Batch,
    asked: Asked,
    related: Asked | None,
    row_weights_B: Tensor,
    self_supervision: float,
    generator: torch.Generator,
    precision: Precision = "float32",
) -> tuple[Tensor, Tensor]:
    """The loss of one batch, and the (B, S) NLL of the shared part for the record.

    Args:
        network: of all kinds.
        kind: the rows'.
        batch: the inputs.
        asked: the tasks that the marginals are asked.
        related: the tasks that the joint head is asked; the same object where they are the same,
            None where it learns nothing.
        row_weights_B: how much each row counts.
        self_supervision: the weight of its loss; 0 is none.
        generator: of masks and revealed outcomes.
        precision: of the trunk.
    """
    numbers, masked = mask_features(batch.numbers, generator)
    item = batch.item.masked_fill(
        torch.rand(batch.item.shape, generator=generator) < ITEM_DROPOUT, 0
    )
    seen = Batch(**{**vars(batch), "numbers": numbers, "item": item})
    state_BD = state_of(kind, seen, precision)
    shared_BO = network.shared_parameters(kind.entity, state_BD, asked.some) + asked.offsets_BO
    private_BO = kind.private_parameters(batch.numbers, asked.some) + asked.offsets_BO
    nll_BT = asked.nll(shared_BO)
    loss = weighted_mean(nll_BT, row_weights_B, asked.weights)
    loss = loss + weighted_mean(asked.nll(private_BO), row_weights_B, asked.weights)
    marginals_BO = kind.voices((shared_BO, private_BO), asked.some)
    # Drawn from a generator of its own, so that the marginals learn the same without a joint head.
    revealing = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
    if related is not None:
        if related is not asked:
            with torch.no_grad():
                shared_BO = network.shared_parameters(kind.entity, state_BD, related.some)
                private_BO = kind.private_parameters(batch.numbers, related.some)
                marginals_BO = kind.voices((shared_BO, private_BO), related.some)
                marginals_BO = marginals_BO + related.offsets_BO
        loss = loss + _joint_loss(kind, state_BD, marginals_BO, related, row_weights_B, revealing)
    restored = kind.reconstruct(state_BD)
    scaled = kind.numeric(batch.numbers).detach()
    restoration = reconstruction_loss(restored, scaled, masked)
    loss = loss + self_supervision * RESTORATION_SHARE * restoration
    return loss, nll_BT.detach()


def _joint_loss(
    kind: KindNetwork,
    state_BD: Tensor,
    marginals_BO: Tensor,
    asked: Asked,
    row_weights_B: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """NLL of the tasks not revealed, given those that are; no gradient reaches the trunk."""
    marginals_BO = marginals_BO.detach()
    if len(asked.some) < 2:
        return marginals_BO.new_zeros(())
    missing_BT = asked.nll(marginals_BO).isnan()
    known_BT, importance_B = reveal(asked.some.layout, missing_BT, generator)
    correction_BO = kind.joint(state_BD, marginals_BO, asked.labels, known_BT, asked.some)
    hidden_BT = asked.nll(marginals_BO + correction_BO).masked_fill(known_BT, torch.nan)
    return weighted_mean(hidden_BT, row_weights_B * importance_B, asked.weights)


def reveal(layout: Layout, missing_BT: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which outcomes are shown to the joint head, and how much each row counts.

    Half the rows show a uniformly random number of random tasks, weighted by T / (T - shown), as
    the bound on the joint log-likelihood asks (arXiv:2110.02037, eq. 5); the others show what would
    be known some days after the cutoff: all tasks whose windows have ended by then.

    Shape:
        returns: (B, T) of bool, missing labels never shown; (B,)
    """
    rows, tasks = missing_BT.shape
    shown_B = torch.randint(0, tasks, (rows, 1), generator=generator)
    rank_BT = torch.rand(rows, tasks, generator=generator).argsort(dim=1).argsort(dim=1)
    at_random = rank_BT < shown_B
    end_T = torch.tensor([float(task.end_days) for task in layout.tasks])
    days_B = end_T[torch.randint(0, tasks, (rows, 1), generator=generator)]
    in_order = end_T < days_B
    by_time = torch.rand(rows, 1, generator=generator) < 0.5
    known = torch.where(by_time, in_order, at_random) & ~missing_BT
    importance_B = torch.where(by_time, 1.0, tasks / (tasks - shown_B.float())).squeeze(1)
    return known, importance_B / importance_B.mean()
