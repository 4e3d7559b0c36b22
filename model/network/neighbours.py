"""The edges of a task graph: of each task a few others.

T = tasks, K = neighbours kept per task
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Neighbours:
    """Which tasks each task has edges from, the strongest first.

    Attributes:
        sources: (T, K) positions; the task itself where it has fewer than K.
        correlation: (T, K) what the edge starts as, 0 where there is none.
    """

    sources: Tensor
    correlation: Tensor

    @classmethod
    def strongest(cls, correlation_TA: Tensor, most: int, first: int = 0) -> Neighbours:
        """At most so many per task, those with the strongest correlation that is not zero.

        Args:
            correlation_TA: of some consecutive tasks with all of them.
            most: neighbours per task.
            first: the position of the first of those tasks.
        """
        tasks, others = correlation_TA.shape
        own = first + torch.arange(tasks)[:, None]
        strength = correlation_TA.abs().scatter(1, own, -1.0)
        sources = strength.topk(min(most, max(others - 1, 0)), dim=1).indices
        correlation = correlation_TA.gather(1, sources)
        # Where there is no correlation there is no edge.
        return cls(torch.where(correlation != 0, sources, own), correlation)

    def __len__(self) -> int:
        return len(self.sources)

    def among(self, positions: Tensor) -> Neighbours:
        """The edges between some of the tasks, counted anew in the order of the positions."""
        local = torch.full((len(self),), -1)
        local[positions] = torch.arange(len(positions))
        sources = local[self.sources[positions]]
        own = torch.arange(len(positions))[:, None]
        correlation = self.correlation[positions].masked_fill(sources < 0, 0.0)
        return Neighbours(torch.where(sources < 0, own, sources), correlation)
