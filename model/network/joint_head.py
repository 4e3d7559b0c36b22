"""The joint head: how the outcomes already known of some tasks change the others' predictions.

B = rows, T = tasks, D = channels of the state, R = channels of a message
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.distributions import Layout
from model.network.evidence import EVIDENCE, evidence
from model.network.likelihoods import by_group


class JointHead(nn.Module):
    """A correction to every task's parameters, given the outcomes already known.

    With nothing known the correction is exactly zero and the marginals stand. No gradient reaches
    the trunk: the state and the marginals are taken as given. Trained under random sets of known
    outcomes it makes the chain rule over the tasks a bound on their joint log-likelihood
    (Hoogeboom et al., 2022, arXiv:2110.02037; Shih et al., 2022, arXiv:2205.13554).

    The evidence graph's edge from s to t says how strongly the outcome of s moves t; it starts as
    the correlation of their labels and only the strongest edges of each task are kept.

    Shape:
        state_BD:      (B, D)
        marginals_BO:  (B, columns of the layout)
        labels:        per group of the layout, see `negative_log_likelihood`
        known_BT:      (B, T) whether the outcome is known
        returns:       (B, columns of the layout)
    """

    edges: Tensor
    task_of_column: Tensor

    def __init__(self, layout: Layout, width: int, channels: int) -> None:
        super().__init__()
        tasks = len(layout)
        self.layout = layout
        self.adjacency = nn.Parameter(torch.zeros(tasks, tasks))
        self.register_buffer("edges", torch.zeros(tasks, tasks))
        self.message = nn.Parameter(torch.randn(tasks, EVIDENCE, channels) * 0.5)
        self.mix = nn.Parameter(torch.randn(tasks, channels, channels) * channels**-0.5)
        self.gate = nn.Linear(width, channels)
        self.output = nn.Parameter(torch.zeros(layout.columns, channels))
        task_of_column = [
            group.first_task + task
            for group in layout.groups
            for task in range(len(group.tasks))
            for _ in range(group.parameters)
        ]
        self.register_buffer("task_of_column", torch.tensor(task_of_column, dtype=torch.long))

    @torch.no_grad()
    def start_from_correlation(self, correlation_TT: Tensor, neighbours: int) -> None:
        """Take the strongest correlations of each task as its edges."""
        tasks = len(self.layout)
        strength = correlation_TT.abs().masked_fill(torch.eye(tasks, dtype=torch.bool), -1.0)
        kept = strength.topk(min(neighbours, max(tasks - 1, 0)), dim=1).indices
        self.edges.zero_().scatter_(1, kept, 1.0).fill_diagonal_(0.0)
        self.edges.mul_(correlation_TT != 0)  # periods and classes have no evidence to give
        self.adjacency.copy_(correlation_TT * self.edges)

    def forward(  # noqa: D102
        self, state_BD: Tensor, marginals_BO: Tensor, labels: list[Tensor], known_BT: Tensor
    ) -> Tensor:
        state_BD, marginals_BO = state_BD.detach(), marginals_BO.detach()
        evidence_BTQ = self._evidence(marginals_BO, labels) * known_BT[..., None]
        messages_BTR = torch.einsum("btq,tqr->btr", evidence_BTQ, self.message)
        received_BTR = torch.einsum("ts,bsr->btr", self.adjacency * self.edges, messages_BTR)
        mixed_BTR = torch.tanh(torch.einsum("btr,trc->btc", received_BTR, self.mix))
        gated_BTR = mixed_BTR * (1 + torch.tanh(self.gate(state_BD)))[:, None, :]
        gated_BOR = gated_BTR.index_select(1, self.task_of_column)
        correction: Tensor = (gated_BOR * self.output).sum(dim=-1)
        return correction

    def _evidence(self, marginals_BO: Tensor, labels: list[Tensor]) -> Tensor:
        parts = by_group(self.layout, marginals_BO, labels)
        return torch.cat([evidence(*part) for part in parts], dim=1)
