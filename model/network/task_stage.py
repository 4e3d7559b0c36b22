"""The task graph's feature side, and the transformation of the shared state per task.

B = rows, T = tasks, D = channels of the state, C = channels of a task's embedding,
P = parameters of a likelihood
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.distributions import Layout


class TaskEmbeddings(nn.Module):
    """One vector per task, mixed along the feature graph, which starts without edges.

    So training starts as a plain shared bottom, and edges grow where they help.

    Shape:
        returns: (T, C)
    """

    def __init__(self, tasks: int, channels: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(tasks, channels) * 0.1)
        self.adjacency = nn.Parameter(torch.zeros(tasks, tasks))

    def forward(self) -> Tensor:  # noqa: D102
        without_self = self.adjacency - torch.diag(self.adjacency.diagonal())
        return self.own + without_self @ self.own


class TaskStage(nn.Module):
    """Every task's parameters from the shared state, all tasks in one batched operation.

    A task's embedding gives the scale and shift of its features (FiLM, Perez et al., 2018,
    arXiv:1709.07871) and, with a small private residual, the weights of its head.

    Shape:
        state_BD:      (B, D)
        embeddings_TC: (T, C), rows in the order of the layout
        returns:       (B, columns of the layout)
    """

    def __init__(self, layout: Layout, width: int, channels: int) -> None:
        super().__init__()
        self.layout = layout
        self.film = nn.Linear(channels, 2 * width)
        self.head_weights = nn.ModuleList(
            nn.Linear(channels, group.parameters * width, bias=False) for group in layout.groups
        )
        self.private = nn.ParameterList(
            torch.zeros(len(group.tasks), group.parameters, width) for group in layout.groups
        )
        self.bias = nn.Parameter(torch.zeros(layout.columns))
        self._width = width
        for parameter in (self.film.weight, self.film.bias):
            nn.init.zeros_(parameter)
        for head in self.head_weights:
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.02)

    def forward(self, state_BD: Tensor, embeddings_TC: Tensor) -> Tensor:  # noqa: D102
        scale_TD, shift_TD = self.film(embeddings_TC).chunk(2, dim=-1)
        features_BTD = functional.silu(state_BD[:, None, :] * (1 + scale_TD) + shift_TD)
        outputs = []
        for group, head, private in zip(
            self.layout.groups, self.head_weights, self.private, strict=True
        ):
            weights = head(embeddings_TC[group.task_slice]).view(
                len(group.tasks), group.parameters, self._width
            )
            parameters = torch.einsum(
                "btd,tpd->btp", features_BTD[:, group.task_slice], weights + private
            )
            outputs.append(parameters.flatten(1))
        return torch.cat(outputs, dim=1) + self.bias
