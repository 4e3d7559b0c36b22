"""The task graph's feature side, and the transformation of the shared state per task.

B = rows, T = tasks, F = families, D = channels of the state, C = channels of a task's embedding,
K = neighbours of a task, P = parameters of a likelihood
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.distributions import Layout
from model.network.neighbours import Neighbours
from model.network.some_tasks import Positions, SomeTasks


class TaskEmbeddings(nn.Module):
    """One vector per task, mixed along the feature graph, whose edges weigh nothing at the start.

    So training starts as a plain shared bottom, and edges gain weight where they help. A task has
    edges from a few neighbours alone, so that the graph of many tasks is small.

    Shape:
        returns: (T, C)
    """

    sources: Tensor

    def __init__(self, tasks: int, channels: int, neighbours: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(tasks, channels) * 0.1)
        self.weight = nn.Parameter(torch.zeros(tasks, neighbours))
        # A task that is its own source has no edge there.
        own = torch.arange(tasks)[:, None].repeat(1, neighbours)
        self.register_buffer("sources", own)

    @torch.no_grad()
    def connect(self, neighbours: Neighbours, first: int) -> None:
        """Give the tasks from the first one on edges from their neighbours, without weight."""
        tasks, most = neighbours.sources.shape
        self.sources[first : first + tasks, :most] = neighbours.sources + first

    def forward(self) -> Tensor:  # noqa: D102
        is_edge = self.sources != torch.arange(len(self.own))[:, None]
        return self.own + ((self.weight * is_edge)[..., None] * self.own[self.sources]).sum(dim=1)


@dataclass(frozen=True)
class _Run:
    """Consecutive tasks of a group: of one family, or each of another.

    Attributes:
        tasks: among those of the group that are chosen.
        families: among those that are needed; one that all of them share, or one each.
    """

    tasks: slice
    families: list[int]

    @classmethod
    def cut(cls, families: list[int]) -> list[_Run]:
        """The fewest runs of some tasks in order."""
        runs: list[_Run] = []
        start = 0
        for family, members in groupby(families):
            length = len(list(members))
            before = runs[-1] if runs else None
            if length == 1 and before is not None and before.is_varied:
                runs[-1] = cls(slice(before.tasks.start, start + 1), [*before.families, family])
            else:
                runs.append(cls(slice(start, start + length), [family]))
            start += length
        return runs

    @property
    def is_varied(self) -> bool:
        """Whether each task has a family of its own."""
        length: int = self.tasks.stop - self.tasks.start
        return len(self.families) == length


class TaskStage(nn.Module):
    """Every task's parameters from the shared state, all tasks in batched operations.

    A task's embedding gives the scale and shift of its features (FiLM, Perez et al., 2018,
    arXiv:1709.07871) and, with a small private residual, the weights of its head. Tasks that were
    declared as one (`for_each`) are a family: they share their features, those of their mean
    embedding, so that a thousand of them cost one transformation and one product of matrices.

    Shape:
        state_BD:      (B, D)
        embeddings_TC: (T, C), rows in the order of the layout
        some:          which tasks are asked for
        returns:       (B, columns of those tasks)
    """

    family: Tensor
    family_size: Tensor

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
        numbers: dict[str, int] = {}
        self._families = [
            numbers.setdefault(task.declared_as or task.name, len(numbers)) for task in layout.tasks
        ]
        family = torch.tensor(self._families, dtype=torch.long)
        self.register_buffer("family", family, persistent=False)
        self.register_buffer("family_size", torch.bincount(family).float(), persistent=False)
        self._all = SomeTasks.all_of(layout)
        self._width = width
        for parameter in (self.film.weight, self.film.bias):
            nn.init.zeros_(parameter)
        for head in self.head_weights:
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.02)

    def forward(  # noqa: D102
        self, state_BD: Tensor, embeddings_TC: Tensor, some: SomeTasks | None = None
    ) -> Tensor:
        some = some or self._all
        families = [self._families[position] for position in some.order]
        needed = sorted(set(families))
        place = {family: index for index, family in enumerate(needed)}
        embeddings_FC = self._of_families(embeddings_TC)
        if len(needed) < len(embeddings_FC):
            embeddings_FC = embeddings_FC[needed]
        scale_FD, shift_FD = self.film(embeddings_FC).chunk(2, dim=-1)
        features_FBD = functional.silu(state_BD * (1 + scale_FD[:, None]) + shift_FD[:, None])
        outputs = []
        for index, (group, chosen) in enumerate(
            zip(self.layout.groups, some.of_group, strict=True)
        ):
            weights = self._weights(index, chosen, embeddings_TC)
            first = group.first_task
            of_group = [place[self._families[first + position]] for position in chosen.order]
            outputs += [
                _applied(features_FBD, run, weights[run.tasks]) for run in _Run.cut(of_group)
            ]
        bias = self.bias if some.is_all else self.bias[some.columns]
        return torch.cat(outputs, dim=1) + bias

    def _of_families(self, embeddings_TC: Tensor) -> Tensor:
        """(F, C) the mean embedding of each family's tasks."""
        if len(self.family_size) == len(self.family):
            return embeddings_TC  # they are numbered in the order of the layout
        total = embeddings_TC.new_zeros(len(self.family_size), embeddings_TC.shape[1])
        return total.index_add(0, self.family, embeddings_TC) / self.family_size[:, None]

    def _weights(self, index: int, chosen: Positions, embeddings_TC: Tensor) -> Tensor:
        """(T, P, D) of some tasks of a group."""
        group = self.layout.groups[index]
        own, private = embeddings_TC[group.task_slice], self.private[index]
        if len(chosen) < len(group.tasks):
            own, private = own[chosen.tensor], private[chosen.tensor]
        shared: Tensor = self.head_weights[index](own)
        weights: Tensor = shared.view(len(chosen), group.parameters, self._width) + private
        return weights


def _applied(features_FBD: Tensor, run: _Run, weights_TPD: Tensor) -> Tensor:
    """(B, T * P) of the tasks of a run."""
    if not run.is_varied:
        output: Tensor = features_FBD[run.families[0]] @ weights_TPD.flatten(0, 1).T
        return output
    is_all = run.families == list(range(len(features_FBD)))
    features_TBD = features_FBD if is_all else features_FBD[run.families]
    # Exported as a product of matrices: ONNX Runtime takes a fifth longer for a row with `einsum`.
    varied_TBP = features_TBD @ weights_TPD.transpose(1, 2)
    return varied_TBP.transpose(0, 1).flatten(1)
