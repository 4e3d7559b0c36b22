"""How the model's voices become one answer: their weighted mean, in the space of parameters.

B = rows, V = voices, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.network.some_tasks import SomeTasks


class Voices(nn.Module):
    """Each voice's share in each parameter; before validation is asked, all count alike.

    The voices are the shared state through the task stage, the private heads and the boosted heads.

    Attributes:
        shares: (V, O) summing to 1 over the voices.
    """

    shares: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("shares", even_shares(torch.zeros(columns, dtype=torch.bool)))

    def forward(self, said: Sequence[Tensor], some: SomeTasks | None = None) -> Tensor:
        """(B, columns) the mean of what the voices said, trees last, perhaps of some tasks alone.

        Where there are no trees for any of the tasks, two voices suffice.
        """
        shares = self.shares if some is None or some.is_all else self.shares[:, some.columns]
        answer = said[0] * shares[0]
        for spoken, share in zip(said[1:], shares[1:], strict=False):
            answer = answer + spoken * share
        return answer


def even_shares(has_trees_O: Tensor) -> Tensor:
    """(V, O) the same of every voice that is there."""
    trees = has_trees_O.float()
    others = torch.ones_like(trees)
    return torch.stack([others, others, trees]) / (2 + trees)
