"""Everything that is learned from the log before the network: vocabularies, scales, baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import Config
from model.distributions import Baselines, Layout, Scale
from model.errors import NotEnoughData
from model.events import EventLog
from model.network import KindShape, Neighbours, SomeTasks, SSMTLNetwork
from model.network.likelihoods import nll_of_all
from model.snapshots import (
    FoldPart,
    Forecast,
    Outlook,
    PeriodLabels,
    Snapshot,
    SnapshotPlan,
    SnapshotReader,
    came_true,
    learn_outlooks,
    plan_of,
    reader_of,
    take_snapshot,
)
from model.tasks import EntityKind, Task
from model.training.baselines import fit_baselines
from model.training.examples import Examples, make_examples
from model.training.forecasts import fit_forecast
from model.training.graph import related_tasks
from model.training.learnable import sometimes_happens, split_learnable
from model.training.scoring import CHUNK_TASKS, mean_nll
from model.training.self_supervision import is_self_supervised, self_supervised_tasks

ENTITY_KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")


@dataclass(frozen=True)
class Prepared:
    """What stands before the first training step, for the entity kinds that have tasks.

    `left_out` says of the tasks that stand for one of many values why some cannot be learned;
    training looked at no event after `label_end_us`.
    """

    plan: SnapshotPlan
    reader: SnapshotReader
    layouts: Mapping[EntityKind, Layout]
    scales: Mapping[str, Scale]
    forecasts: Mapping[str, Forecast]
    outlooks: Mapping[str, Outlook]
    training: Mapping[EntityKind, Examples]
    baselines: Mapping[EntityKind, Baselines]
    climatology_nll: Mapping[EntityKind, Tensor]
    neighbours: Mapping[EntityKind, Neighbours]
    left_out: Mapping[str, str]
    label_end_us: int

    def columns(self, entity: EntityKind) -> list[str]:
        """The names of the numeric inputs."""
        return [feature.name for feature in self.reader.features(entity)]

    def examples(
        self, entity: EntityKind, part: FoldPart, config: Config, rng: np.random.Generator
    ) -> Examples | None:
        """The rows of another part, None where it has none."""
        layout = self.layouts[entity]
        snapshot = take_snapshot(self.reader, entity, layout.tasks, part, config, rng)
        if snapshot is None:
            return None
        return make_examples(
            snapshot, self.reader, layout, self.scales, self.forecasts, self.outlooks
        )

    def came_true(self, part: FoldPart) -> dict[str, Outlook]:
        """The outlooks as a later part's labels show them, per `outlook_key`."""
        tasks = [task for layout in self.layouts.values() for task in layout.tasks]
        return came_true(self.reader.log, tasks, self.label_end_us, part.label_end_us)

    def network(self, config: Config) -> SSMTLNetwork:
        """A new network that starts at the climatology, with edges between related tasks."""
        shapes = [
            KindShape(
                entity=entity,
                numbers=examples.inputs.numbers.shape[1],
                category_sizes=tuple(
                    len(known)
                    for plan in self.plan.for_entity(entity)
                    for known in plan.categories.values()
                ),
                layout=self.layouts[entity],
            )
            for entity, examples in self.training.items()
        ]
        network = SSMTLNetwork(
            shapes, len(self.plan.item_ids), len(self.plan.users.event_types), config
        )
        for entity, examples in self.training.items():
            kind = network.kind(entity)
            kind.numeric.fit_scaling(torch.from_numpy(examples.inputs.numbers))
            network.connect(entity, self.neighbours[entity])
            # A forecast is added to the output: its bias starts at zero.
            start = torch.from_numpy(self.baselines[entity].climatology)
            is_offset = torch.zeros(kind.layout.columns, dtype=torch.bool)
            for name in examples.naive:
                is_offset[kind.layout.columns_of(name)] = True
            kind.start_at(torch.where(is_offset, 0.0, start))
        return network


def prepare(
    log: EventLog, tasks: Sequence[Task], part: FoldPart, config: Config, rng: np.random.Generator
) -> Prepared:
    """Take the training snapshots and fit all that the network is built on.

    Args:
        log: all events.
        tasks: the declared ones.
        part: the training cutoffs and how far their labels may look.
        config: sizes.
        rng: samples rows and pairs.

    Raises:
        NotEnoughData: a task has too few labels to learn from.
        InvalidTask: what a task asks never or always happens.
    """
    plan = plan_of(log, tasks, part, config)
    reader = reader_of(log, plan)
    layouts: dict[EntityKind, Layout] = {}
    snapshots: dict[EntityKind, Snapshot] = {}
    left_out: dict[str, str] = {}
    longest = max(task.end_days for task in tasks)
    for entity in ENTITY_KINDS:
        declared = [task for task in tasks if task.entity == entity]
        if not declared:
            continue
        generated = (
            self_supervised_tasks(entity, plan.users.event_types, declared, longest)
            if config.self_supervision > 0 and log.has_time
            else ()
        )
        snapshot = take_snapshot(reader, entity, [*declared, *generated], part, config, rng)
        if snapshot is None:
            raise NotEnoughData(
                f"no {entity} has an event before a training cutoff: import more history"
            )
        learnable, reasons = split_learnable(declared, snapshot, plan.classes)
        left_out.update(reasons)
        if not learnable:
            continue
        varied = [task for task in generated if sometimes_happens(task, snapshot.labels[task.name])]
        layouts[entity] = Layout([*learnable, *varied], plan.classes)
        snapshots[entity] = snapshot
    if not layouts:
        raise NotEnoughData(f"no task can be learned: {next(iter(left_out.values()))}")
    scales = _scales(snapshots, layouts)
    forecasts = {
        task.name: forecast
        for entity, layout in layouts.items()
        for task in layout.tasks
        if (forecast := fit_forecast(reader, snapshots[entity], layout, task, part))
    }
    every = [task for layout in layouts.values() for task in layout.tasks]
    outlooks, realised = learn_outlooks(log, every, part.label_end_us)
    training = {
        entity: make_examples(snapshot, reader, layouts[entity], scales, forecasts, realised)
        for entity, snapshot in snapshots.items()
    }
    baselines = {
        entity: fit_baselines(
            examples, layouts[entity], [f.name for f in reader.features(entity)], rng
        )
        for entity, examples in training.items()
    }
    return Prepared(
        plan=plan,
        reader=reader,
        layouts=layouts,
        scales=scales,
        forecasts=forecasts,
        outlooks=outlooks,
        training=training,
        baselines=baselines,
        climatology_nll={
            entity: _climatology_nll(examples, layouts[entity], baselines[entity])
            for entity, examples in training.items()
        },
        neighbours={
            entity: related_tasks(layouts[entity], examples, config.neighbours)
            for entity, examples in training.items()
        },
        left_out=left_out,
        label_end_us=part.label_end_us,
    )


def _scales(
    snapshots: Mapping[EntityKind, Snapshot], layouts: Mapping[EntityKind, Layout]
) -> dict[str, Scale]:
    """Of the tasks about sums and about numbers."""
    scales: dict[str, Scale] = {}
    for entity, layout in layouts.items():
        for group in layout.groups:
            for task in group.tasks:
                label = snapshots[entity].labels[task.name]
                if isinstance(label, PeriodLabels):
                    continue
                if group.likelihood == "hurdle_log_normal":
                    scales[task.name] = _scale(np.log(label[label > 0].astype(np.float64)), 0.05)
                elif group.likelihood == "normal":
                    scales[task.name] = _scale(label[~np.isnan(label)].astype(np.float64), 1e-9)
    return scales


def _scale(values: NDArray[np.float64], smallest: float) -> Scale:
    if len(values) < 2:
        return Scale()
    return Scale(location=float(np.mean(values)), scale=max(float(np.std(values)), smallest))


def _climatology_nll(examples: Examples, layout: Layout, baselines: Baselines) -> Tensor:
    """(T,) mean nats of the climatology on the training rows."""
    constant_O = torch.from_numpy(baselines.climatology)
    parts = []
    for some in SomeTasks.chunks(layout, CHUNK_TASKS):
        chunk = examples.of_tasks(some)
        parameters = constant_O[some.columns].expand(len(chunk), -1)
        parts.append(mean_nll(nll_of_all(some.layout, parameters, chunk.labels), chunk.weights))
    return torch.cat(parts)


def declared_tasks(layout: Layout) -> list[Task]:
    """The tasks of a layout that were not generated."""
    return [task for task in layout.tasks if not is_self_supervised(task.name)]
