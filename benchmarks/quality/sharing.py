"""Other ways to share between tasks: a shared bottom, MMoE and PLE.

Each takes the place of SSMTL's trunk and task stage behind the same inputs, with as many
parameters as those have.

    B = rows, I = inputs, E = experts, D = channels, T = tasks, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.distributions import Layout
from model.network import KindNetwork
from model.network.joint_head import JointHead

HEAD_CHANNELS = 32


class NoJoint(JointHead):
    """Outcomes of other tasks change nothing."""

    def forward(  # noqa: D102
        self,
        state_BD: Tensor,  # noqa: ARG002
        marginals_BO: Tensor,
        *given: object,  # noqa: ARG002
    ) -> Tensor:
        return torch.zeros_like(marginals_BO)


class Expert(nn.Module):
    """A plain network of two layers, several of them side by side.

    Shape:
        x_BI:    (B, I)
        returns: (B, E, D)
    """

    def __init__(self, inputs: int, experts: int, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(experts, inputs, width) * inputs**-0.5)
        self.second = nn.Parameter(torch.randn(experts, width, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(2, experts, width))
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BI: Tensor) -> Tensor:  # noqa: D102
        hidden = torch.einsum("bi,eid->bed", x_BI, self.first) + self.bias[0]
        hidden = self.dropout(functional.silu(hidden))
        hidden = torch.einsum("bed,edk->bek", hidden, self.second) + self.bias[1]
        normed: Tensor = self.norm(self.dropout(functional.silu(hidden)))
        return normed


class Towers(nn.Module):
    """A hidden layer and an output per task.

    Shape:
        x_BTD:   (B, T, D)
        returns: (B, O)
    """

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__()
        self.layout = layout
        tasks = len(layout)
        self.hidden = nn.Parameter(torch.randn(tasks, width, HEAD_CHANNELS) * width**-0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(tasks, HEAD_CHANNELS))
        self.output = nn.ParameterList(
            torch.randn(len(group.tasks), HEAD_CHANNELS, group.parameters) * 0.02
            for group in layout.groups
        )

    def forward(self, x_BTD: Tensor) -> Tensor:  # noqa: D102
        hidden = torch.einsum("btd,tdh->bth", x_BTD, self.hidden) + self.hidden_bias
        hidden = functional.silu(hidden)
        return torch.cat(
            [
                torch.einsum("bth,thp->btp", hidden[:, group.task_slice], output).flatten(1)
                for group, output in zip(self.layout.groups, self.output, strict=True)
            ],
            dim=1,
        )


class Stage(nn.Module):
    """From the inputs straight to all parameters; task embeddings are not looked at."""

    def __init__(self, mix: nn.Module, towers: Towers, layout: Layout) -> None:
        super().__init__()
        self.mix = mix
        self.towers = towers
        self.bias = nn.Parameter(torch.zeros(layout.columns))

    def forward(self, x_BI: Tensor, embeddings_TC: Tensor) -> Tensor:  # noqa: ARG002, D102
        outputs: Tensor = self.towers(self.mix(x_BI)) + self.bias
        return outputs


class SharedBottom(nn.Module):
    """One expert for everybody (Caruana, Machine Learning 28, 1997)."""

    def __init__(self, inputs: int, tasks: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tasks = tasks
        self.expert = Expert(inputs, 1, width, dropout)

    def forward(self, x_BI: Tensor) -> Tensor:  # noqa: D102
        shared: Tensor = self.expert(x_BI)
        return shared.expand(-1, self.tasks, -1)


class MultiGate(nn.Module):
    """MMoE (Ma et al., 2018, doi:10.1145/3219819.3220007): shared experts, a gate per task."""

    EXPERTS = 4

    def __init__(self, inputs: int, tasks: int, width: int, dropout: float) -> None:
        super().__init__()
        self.experts = Expert(inputs, self.EXPERTS, width, dropout)
        self.gates = nn.Parameter(torch.zeros(tasks, inputs, self.EXPERTS))

    def forward(self, x_BI: Tensor) -> Tensor:  # noqa: D102
        gates = torch.einsum("bi,tie->bte", x_BI, self.gates).softmax(dim=-1)
        return torch.einsum("bte,bed->btd", gates, self.experts(x_BI))


class Extraction(nn.Module):
    """PLE with one level (Tang et al., 2020, doi:10.1145/3383313.3412236).

    Each task's gate mixes the shared experts with one of its own.
    """

    SHARED = 2

    def __init__(self, inputs: int, tasks: int, width: int, dropout: float) -> None:
        super().__init__()
        self.shared = Expert(inputs, self.SHARED, width, dropout)
        self.own = Expert(inputs, tasks, width, dropout)
        self.gates = nn.Parameter(torch.zeros(tasks, inputs, self.SHARED + 1))

    def forward(self, x_BI: Tensor) -> Tensor:  # noqa: D102
        gates = torch.einsum("bi,tie->bte", x_BI, self.gates).softmax(dim=-1)
        shared = torch.einsum("bte,bed->btd", gates[..., : self.SHARED], self.shared(x_BI))
        mixed: Tensor = shared + gates[..., self.SHARED :] * self.own(x_BI)
        return mixed


Mix = Callable[[int, int, int, float], nn.Module]


def replace_sharing(kind: KindNetwork, mix: Mix, dropout: float) -> None:
    """Put another way of sharing behind a network's inputs, at the same number of parameters."""
    inputs = kind.trunk.first.shared.in_features
    room = sum(p.numel() for part in (kind.trunk, kind.stage) for p in part.parameters())

    def made(width: int) -> Stage:
        tasks = len(kind.layout)
        return Stage(mix(inputs, tasks, width, dropout), Towers(kind.layout, width), kind.layout)

    def distance(width: int) -> int:
        with torch.device("meta"):
            return abs(sum(p.numel() for p in made(width).parameters()) - room)

    stage = made(min(range(2, 513), key=distance))
    with torch.no_grad():
        stage.bias.copy_(kind.stage.bias)
    kind.trunk, kind.stage = nn.Identity(), stage
    kind.joint = NoJoint(kind.layout, 1, 1, 0)
    kind.reconstruct = nn.Linear(inputs, kind.reconstruct.out_features)
