"""What a task would answer if it shared nothing: a linear model of its own labels and the numbers.

It is learned beside the shared network and touches nothing of it. The two err in different ways, so
that their mean in the space of parameters is better than either. Where validation finds that the
private head alone knows more, sharing hurt that task, and it is served instead.

B = rows, F = numeric features, P = parameters of a likelihood
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.distributions import Layout
from model.network.some_tasks import SomeTasks


class PrivateHeads(nn.Module):
    """A generalised linear model per task, all tasks in batched operations.

    Shape:
        scaled_BF: (B, F), see `NumericInput`
        some:      which tasks are asked for
        returns:   (B, columns of those tasks)
    """

    def __init__(self, layout: Layout, features: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            torch.zeros(len(group.tasks), group.parameters, features) for group in layout.groups
        )
        self.bias = nn.Parameter(torch.zeros(layout.columns))
        self._all = SomeTasks.all_of(layout)

    def forward(self, scaled_BF: Tensor, some: SomeTasks | None = None) -> Tensor:  # noqa: D102
        some = some or self._all
        outputs = []
        for weights_TPF, chosen in zip(self.weights, some.of_group, strict=True):
            of_tasks = weights_TPF if some.is_all else weights_TPF[chosen.tensor]
            outputs.append(scaled_BF @ of_tasks.flatten(0, 1).T)
        bias = self.bias if some.is_all else self.bias[some.columns]
        return torch.cat(outputs, dim=1) + bias
