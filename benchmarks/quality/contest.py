"""The ground that all competitors share: one fold's training, validation and test rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.config import Config
from model.distributions import Layout
from model.events import EventLog
from model.network import SomeTasks
from model.snapshots import Fold, folds
from model.tasks import EntityKind, Task
from model.training.examples import Examples
from model.training.preparation import Prepared, declared_tasks, prepare

Nats = dict[str, NDArray[np.float64]]
"""Per task the (R,) NLL of the test rows, NaN where the label is missing."""


@dataclass(frozen=True)
class Ground:
    """One fold with all that is made of its training part, and the rows held out."""

    fold: Fold
    prepared: Prepared
    validation: Mapping[EntityKind, Examples]
    test: Mapping[EntityKind, Examples]
    config: Config

    @classmethod
    def of(cls, log: EventLog, fold: Fold, config: Config, seed: int) -> Ground:
        """Take the snapshots once, for everybody."""
        assert fold.test is not None, "a contest needs held-out time"
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        prepared = prepare(log, fold.tasks, fold.training, config, rng)
        scored = config.model_copy(update={"max_rows": config.max_scored_rows})
        parts = [
            {
                entity: examples
                for entity in prepared.layouts
                if (examples := prepared.examples(entity, part, scored, rng)) is not None
            }
            for part in (fold.validation, fold.test)
        ]
        return cls(fold, prepared, parts[0], parts[1], config)

    def tasks(self) -> Iterator[tuple[EntityKind, Task]]:
        """The declared tasks that have test rows."""
        for entity, layout in self.prepared.layouts.items():
            if entity in self.test:
                yield from ((entity, task) for task in declared_tasks(layout))

    def labels(self, entity: EntityKind, name: str, part: str) -> NDArray[np.float64]:
        """The labels of a task as the likelihood takes them, of `training` and so on."""
        return labels_of(self.prepared.layouts[entity], name, self.examples(entity, part))

    def examples(self, entity: EntityKind, part: str) -> Examples:
        """The rows of a part."""
        return (self.prepared.training if part == "training" else getattr(self, part))[entity]

    def restricted(self, names: Sequence[str]) -> Ground:
        """The same rows with some of the tasks alone, and no self-supervised ones."""
        chosen = {
            entity: SomeTasks.at(
                layout, [layout.position(t.name) for t in layout.tasks if t.name in names]
            )
            for entity, layout in self.prepared.layouts.items()
        }
        chosen = {entity: some for entity, some in chosen.items() if len(some)}
        layouts = {entity: some.layout for entity, some in chosen.items()}

        def cut(parts: Mapping[EntityKind, Examples]) -> dict[EntityKind, Examples]:
            return {
                entity: parts[entity].of_tasks(some)
                for entity, some in chosen.items()
                if entity in parts
            }

        prepared = self.prepared
        return replace(
            self,
            prepared=replace(
                prepared,
                layouts=layouts,
                training=cut(prepared.training),
                baselines={
                    entity: prepared.baselines[entity].of_tasks(prepared.layouts[entity], layout)
                    for entity, layout in layouts.items()
                },
                climatology_nll={
                    entity: prepared.climatology_nll[entity][some.positions]
                    for entity, some in chosen.items()
                },
                neighbours={
                    entity: prepared.neighbours[entity].among(some.positions)
                    for entity, some in chosen.items()
                },
            ),
            validation=cut(self.validation),
            test=cut(self.test),
        )


def labels_of(layout: Layout, name: str, examples: Examples) -> NDArray[np.float64]:
    """The labels of a task as the likelihood takes them."""
    group = layout.group(name)
    of_group = examples.labels[layout.groups.index(group)]
    return of_group[:, layout.position(name) - group.first_task].double().numpy()


def folds_of(log: EventLog, tasks: Sequence[Task], config: Config) -> tuple[Fold, ...]:
    """The folds that have held-out time."""
    return tuple(fold for fold in folds(log, tasks, config.max_cutoffs) if fold.test is not None)
