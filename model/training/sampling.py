"""Which tasks a training step computes: all of them, or of many some at random.

The sums over the tasks stay the same in expectation: a task counts by the inverse of its chance to
be drawn (Horvitz and Thompson, Journal of the American Statistical Association 47, 1952).

S = tasks drawn, T = tasks, B = rows
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network import KindNetwork, SomeTasks
from model.training.examples import Examples
from model.training.loss import Asked, TaskWeights

SEEDS_SHARE = 16
"""The joint head sees one task in so many of those drawn, each with its neighbours."""


class TaskSampler:
    """Draws the tasks of each step of one entity kind.

    Args:
        kind: its tasks, and which of them are neighbours.
        weights: how much each task's nats count.
        most: of more tasks than this, so many are drawn.
        joint: whether the joint head learns.
    """

    def __init__(
        self, kind: KindNetwork, weights: TaskWeights, most: int, *, joint: bool = True
    ) -> None:
        tasks = len(kind.layout)
        self._layout, self._weights, self._joint = kind.layout, weights.values, joint
        self._all = SomeTasks.all_of(kind.layout) if tasks <= most else None
        self._most, self._seeds = most, max(1, most // SEEDS_SHARE)
        self._sources, is_edge = kind.joint.sources, kind.joint.is_edge
        if self._all is None:
            targets_T = torch.bincount(self._sources[is_edge], minlength=tasks)
            self._inclusion_T = chance_of_any(targets_T + 1, self._seeds, tasks)

    def ask(
        self, examples: Examples, rows: NDArray[np.integer], generator: torch.Generator
    ) -> tuple[Asked, Asked | None]:
        """What a step asks the marginals, and what the joint head, if anything.

        The marginals are asked tasks that are drawn one by one; the joint head is asked some tasks
        together with those that they have edges from. Few tasks are all asked both.
        """
        if self._all is not None:
            everything = self._asked(self._all, self._weights, examples, rows)
            return everything, everything if self._joint else None
        tasks = len(self._layout)
        drawn = torch.randperm(tasks, generator=generator)[: self._most]
        seeds = torch.randperm(tasks, generator=generator)[: self._seeds]
        scored = SomeTasks.at(self._layout, drawn.tolist())
        asked = self._asked(scored, self._weights * (tasks / self._most), examples, rows)
        if not self._joint:
            return asked, None
        with_sources = torch.cat([seeds, self._sources[seeds].flatten()])
        related = SomeTasks.at(self._layout, with_sources.tolist())
        return asked, self._asked(related, self._weights / self._inclusion_T, examples, rows)

    @staticmethod
    def _asked(
        some: SomeTasks, weights_T: Tensor, examples: Examples, rows: NDArray[np.integer]
    ) -> Asked:
        chosen = None if some.is_all else some
        return Asked(
            some=some,
            labels=examples.labels_of(rows, chosen),
            offsets_BO=examples.offsets_of(rows, chosen),
            weights=TaskWeights(weights_T[some.positions]),
        )


def chance_of_any(marked: Tensor, drawn: int, tasks: int) -> Tensor:
    """The chance that any of so many marked tasks is among those drawn without replacement.

    Args:
        marked: how many are marked, in any shape.
        drawn: how many are drawn.
        tasks: of how many.
    """
    left = (tasks - marked).double()
    none = (
        torch.lgamma(left + 1)
        - torch.lgamma((left - drawn).clamp_min(0) + 1)
        + torch.lgamma(torch.tensor(tasks - drawn + 1.0, dtype=torch.double))
        - torch.lgamma(torch.tensor(tasks + 1.0, dtype=torch.double))
    ).exp()
    return (1 - torch.where(left < drawn, 0.0, none)).float()
