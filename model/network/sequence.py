"""The last events of a user as one vector: exponential decay beside attention, both cheap.

B = rows, L = events, C = channels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SequencePooling(nn.Module):
    """Pool event embeddings by learned decay rates and by one learned query.

    Shape:
        events_BLC: (B, L, C)
        gaps_BL:    (B, L) log(1 + days) before the cutoff
        there_BL:   (B, L) whether there is an event
        returns:    (B, (rates + 1) * C), zero for an empty sequence
    """

    def __init__(self, channels: int, rates: int = 2) -> None:
        super().__init__()
        self.log_rates = nn.Parameter(torch.linspace(-1.0, 1.0, rates))
        self.query = nn.Linear(channels, 1)
        self.outputs = (rates + 1) * channels

    def forward(self, events_BLC: Tensor, gaps_BL: Tensor, there_BL: Tensor) -> Tensor:  # noqa: D102
        # exp(-rate * log(1 + days)) is a power law in days, which fits habits better than exp.
        decays = -self.log_rates.exp()[None, :, None] * gaps_BL[:, None, :]
        attention = self.query(events_BLC).transpose(1, 2)
        scores_BRL = torch.cat([decays, attention], dim=1)
        scores_BRL = scores_BRL.masked_fill(~there_BL[:, None, :], -1e4)
        weights_BRL = torch.softmax(scores_BRL, dim=-1) * there_BL[:, None, :]
        return (weights_BRL @ events_BLC).flatten(1)
