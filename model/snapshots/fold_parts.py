"""What a split of the rows into training, validation and test is made of."""

from __future__ import annotations

from dataclasses import dataclass

from model.tasks import Task


@dataclass(frozen=True)
class FoldPart:
    """Some cutoffs, and how far their labels may look."""

    cutoffs_us: tuple[int, ...]
    label_end_us: int


@dataclass(frozen=True)
class Fold:
    """One split of the tasks whose horizons are alike; a short log leaves no test."""

    tasks: tuple[Task, ...]
    training: FoldPart
    validation: FoldPart
    test: FoldPart | None
