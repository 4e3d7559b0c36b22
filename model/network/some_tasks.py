"""Some tasks of a layout, as the network picks their parameters.

Many tasks are never computed all at once: a training step computes some of them at random, and
scoring goes through them in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from model.distributions import Layout


@dataclass(frozen=True, eq=False)
class Positions:
    """Ascending positions, as numbers for Python and as a tensor to pick with."""

    order: list[int]

    @cached_property
    def tensor(self) -> Tensor:
        """(n,) of them."""
        return torch.tensor(self.order, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.order)


@dataclass(frozen=True, eq=False)
class SomeTasks:
    """Some tasks of a layout, in its order.

    Attributes:
        whole: the layout that they are chosen from.
        order: their positions in it, ascending.
    """

    whole: Layout
    order: list[int]

    @classmethod
    def all_of(cls, layout: Layout) -> SomeTasks:
        """Every task."""
        return cls(layout, list(range(len(layout))))

    @classmethod
    def at(cls, layout: Layout, positions: Sequence[int]) -> SomeTasks:
        """The tasks at some positions, given in any order."""
        return cls(layout, sorted(set(positions)))

    @classmethod
    def chunks(
        cls, layout: Layout, size: int, positions: Sequence[int] | None = None
    ) -> Iterator[SomeTasks]:
        """The tasks at some positions, all by default, so many at a time."""
        chosen = range(len(layout)) if positions is None else sorted(set(positions))
        for start in range(0, len(chosen), size):
            yield cls(layout, list(chosen[start : start + size]))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def is_all(self) -> bool:
        """Whether no task is left out."""
        return len(self) == len(self.whole)

    @cached_property
    def layout(self) -> Layout:
        """Of these tasks alone."""
        return self.whole if self.is_all else self.whole.part(self.order)

    @cached_property
    def positions(self) -> Tensor:
        """(n,) their positions in the whole layout."""
        return torch.tensor(self.order, dtype=torch.long)

    @cached_property
    def columns(self) -> Tensor:
        """Their columns in the whole layout, in the order of their own."""
        return torch.cat(
            [
                group.first_column
                + (
                    chosen.tensor[:, None] * group.parameters + torch.arange(group.parameters)
                ).flatten()
                for group, chosen in zip(self.whole.groups, self.of_group, strict=True)
            ]
        )

    @cached_property
    def of_group(self) -> tuple[Positions, ...]:
        """Per group of the whole layout, the positions within it of those chosen."""
        chosen: tuple[list[int], ...] = tuple([] for _ in self.whole.groups)
        groups = iter(zip(self.whole.groups, chosen, strict=True))
        group, found = next(groups)
        for position in self.order:
            while position >= group.task_slice.stop:
                group, found = next(groups)
            found.append(position - group.first_task)
        return tuple(map(Positions, chosen))
