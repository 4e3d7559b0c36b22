"""The joint head: how the outcomes already known of some tasks change the others' predictions.

B = rows, T = tasks, D = channels of the state, R = channels of a message, K = neighbours of a task,
P = parameters of a likelihood
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.distributions import Layout
from model.network.evidence import EVIDENCE, evidence
from model.network.likelihoods import by_group
from model.network.neighbours import Neighbours
from model.network.some_tasks import SomeTasks


class JointHead(nn.Module):
    """A correction to every task's parameters, given the outcomes already known.

    With nothing known the correction is exactly zero and the marginals stand. No gradient reaches
    the trunk: the state and the marginals are taken as given. Trained under random sets of known
    outcomes it makes the chain rule over the tasks a bound on their joint log-likelihood
    (Hoogeboom et al., 2022, arXiv:2110.02037; Shih et al., 2022, arXiv:2205.13554).

    The evidence graph has an edge to each task from a few others, whose strength starts as the
    correlation of their outcomes and is learned: so many numbers per task, however many there are.

    Shape:
        state_BD:      (B, D)
        marginals_BO:  (B, columns of the tasks that are asked for)
        labels:        per group of their layout, see `negative_log_likelihood`
        known_BT:      (B, T) whether the outcome is known
        some:          which tasks are asked for; only edges between them count
        returns:       (B, columns of those tasks)
    """

    sources: Tensor

    def __init__(self, layout: Layout, width: int, channels: int, neighbours: int) -> None:
        super().__init__()
        tasks = len(layout)
        self.layout = layout
        self.strength = nn.Parameter(torch.zeros(tasks, neighbours))
        # A task that is its own source has no edge there.
        own = torch.arange(tasks)[:, None].repeat(1, neighbours)
        self.register_buffer("sources", own)
        self.message = nn.Parameter(torch.randn(tasks, EVIDENCE, channels) * 0.5)
        self.mix = nn.Parameter(torch.randn(tasks, channels, channels) * channels**-0.5)
        self.gate = nn.Linear(width, channels)
        self.output = nn.Parameter(torch.zeros(layout.columns, channels))
        self._all = SomeTasks.all_of(layout)

    @torch.no_grad()
    def connect(self, neighbours: Neighbours) -> None:
        """Give each task edges from its neighbours, as strong as they correlate."""
        most = neighbours.sources.shape[1]
        self.sources[:, :most] = neighbours.sources
        self.strength[:, :most] = neighbours.correlation

    @property
    def is_edge(self) -> Tensor:
        """(T, K) of bool."""
        return self.sources != torch.arange(len(self.sources))[:, None]

    def adjacency(self, some: SomeTasks | None = None) -> Tensor:
        """(T, T) the strength of the edge from each column's task to each row's, 0 for none."""
        some = some or self._all
        local_T = torch.full((len(self.layout),), -1)
        local_T[some.positions] = torch.arange(len(some))
        sources = local_T[self.sources[some.positions]]
        there = self.is_edge[some.positions] & (sources >= 0)
        target = torch.arange(len(some))[:, None].expand_as(sources)
        empty = self.strength.new_zeros(len(some), len(some))
        return empty.index_put(
            (target[there], sources[there]), self.strength[some.positions][there]
        )

    def forward(  # noqa: D102
        self,
        state_BD: Tensor,
        marginals_BO: Tensor,
        labels: list[Tensor],
        known_BT: Tensor,
        some: SomeTasks | None = None,
    ) -> Tensor:
        messages_TBR = self.messages(marginals_BO, labels, known_BT, some)
        received_TBR = (self.adjacency(some) @ messages_TBR.flatten(1)).view_as(messages_TBR)
        return self.correction(state_BD, received_TBR, some)

    def messages(
        self,
        marginals_BO: Tensor,
        labels: list[Tensor],
        known_BT: Tensor,
        some: SomeTasks | None = None,
    ) -> Tensor:
        """(T, B, R) what each task's outcome sends along its edges; zero where it is not known.

        Tasks come first, so that what goes along all edges is one product of matrices.
        """
        some = some or self._all
        parts = by_group(some.layout, marginals_BO.detach(), labels)
        evidence_BTQ = torch.cat([evidence(*part) for part in parts], dim=1) * known_BT[..., None]
        messages: Tensor = evidence_BTQ.transpose(0, 1) @ self._of(self.message, some)
        return messages

    def correction(
        self, state_BD: Tensor, received_TBR: Tensor, some: SomeTasks | None = None
    ) -> Tensor:
        """(B, columns) what some tasks' parameters change by, given what they received."""
        some = some or self._all
        mixed_TBR = torch.tanh(received_TBR @ self._of(self.mix, some))
        gated_TBR = mixed_TBR * (1 + torch.tanh(self.gate(state_BD.detach())))
        output_OR = self.output if some.is_all else self.output[some.columns]
        return torch.cat(
            [
                torch.einsum(
                    "tbr,tpr->btp",
                    gated_TBR[group.task_slice],
                    output_OR[group.column_slice].view(-1, group.parameters, gated_TBR.shape[-1]),
                ).flatten(1)
                for group in some.layout.groups
            ],
            dim=1,
        )

    def _of(self, parameter_T: Tensor, some: SomeTasks) -> Tensor:
        return parameter_T if some.is_all else parameter_T[some.positions]
