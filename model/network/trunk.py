"""The shared layer: an efficient ensemble of MLPs over numbers, categories and sequence.

B = rows, F = numeric features, E = members, D = channels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class NumericInput(nn.Module):
    """Robust scaling with bounds, and a learned value where a number is undefined.

    Shape:
        numbers_BF: (B, F), NaN where undefined
        returns:    (B, F), about -3 to 3
    """

    median: Tensor
    spread: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("median", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.undefined = nn.Parameter(torch.zeros(features))

    @torch.no_grad()
    def fit_scaling(self, numbers_BF: Tensor) -> None:
        """Learn the median and spread (half the range from the 5th to the 95th percentile)."""
        sample = numbers_BF[:: max(1, len(numbers_BF) // 20_000)]
        low, middle, high = torch.nanquantile(
            sample, torch.tensor([0.05, 0.5, 0.95], dtype=sample.dtype), dim=0
        )
        deviation = (sample - middle).square().nanmean(dim=0).sqrt()
        spread = torch.maximum((high - low) / 2, deviation).nan_to_num(1.0)
        self.median.copy_(middle.nan_to_num(0.0))
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def forward(self, numbers_BF: Tensor) -> Tensor:  # noqa: D102
        scaled = ((numbers_BF - self.median) / self.spread).clamp(-3, 3)
        return torch.where(numbers_BF.isnan(), self.undefined, scaled)


class EnsembleLinear(nn.Module):
    """One weight matrix shared by all members, which scale its inputs and outputs.

    BatchEnsemble (Wen et al., 2020, arXiv:2002.06715) in the manner of TabM (Gorishniy et al.,
    2024, arXiv:2410.24210).

    Shape:
        x_BEI:   (B, E, inputs)
        returns: (B, E, outputs)
    """

    def __init__(self, inputs: int, outputs: int, members: int, *, random_signs: bool) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, outputs, bias=False)
        signs = torch.randint(0, 2, (members, inputs)) * 2.0 - 1
        self.scale_in = nn.Parameter(signs if random_signs else torch.ones(members, inputs))
        self.scale_out = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, x_BEI: Tensor) -> Tensor:  # noqa: D102
        projected: Tensor = self.shared(x_BEI * self.scale_in)
        return projected * self.scale_out + self.bias


class EnsembleTrunk(nn.Module):
    """From all inputs to one shared state: the mean over the members, and a linear part.

    Shape:
        x_BI:    (B, inputs)
        returns: (B, D)
    """

    def __init__(self, inputs: int, width: int, members: int, dropout: float) -> None:
        super().__init__()
        self.members = members
        self.first = EnsembleLinear(inputs, width, members, random_signs=True)
        self.second = EnsembleLinear(width, width, members, random_signs=False)
        self.linear = nn.Linear(inputs, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BI: Tensor) -> Tensor:  # noqa: D102
        x_BEI = x_BI[:, None, :].expand(-1, self.members, -1)
        hidden = self.dropout(functional.silu(self.first(x_BEI)))
        hidden = hidden + self.dropout(functional.silu(self.second(hidden)))
        state: Tensor = self.norm(hidden.mean(dim=1) + self.linear(x_BI))
        return state
