"""One fold: train on its past, choose on its validation rows, report on its test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from model.config import Config, StopCallback
from model.distributions import TaskServing
from model.evaluation import Edge, JointReport, TaskReport
from model.events import EventLog
from model.network import SSMTLNetwork
from model.snapshots import Fold, FoldPart
from model.tasks import EntityKind
from model.training.cold import cold_reports
from model.training.examples import Examples
from model.training.graph import edges_with_gain, joint_report
from model.training.loop import MAX_VALIDATION_ROWS, TrainingRun
from model.training.preparation import Prepared, declared_tasks, prepare
from model.training.scoring import Outputs, outputs_of
from model.training.selection import choose_serving
from model.training.state import Memory
from model.training.testing import report_task

Announce = Callable[[str, float, int | None, dict[str, float]], None]
"""Tells the stage, the fraction of it that is done, the epoch and the losses."""


@dataclass(frozen=True)
class FoldResult:
    """What a fold says of its tasks, and after how many epochs it was best."""

    serving: dict[str, TaskServing]
    reports: dict[str, TaskReport]
    joint: dict[str, JointReport]
    edges: list[Edge]
    epochs: int


def run_fold(
    log: EventLog,
    fold: Fold,
    config: Config,
    seed: int,
    announce: Announce,
    stop: StopCallback,
    memory: Memory,
) -> FoldResult:
    """Train, choose and test the tasks of one fold."""
    # Nothing random comes from what went before, so that a fit can begin with any fold.
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    announce("snapshots", 0.0, None, {})
    prepared = prepare(log, fold.tasks, fold.training, config, rng)
    validation = _rows_of(prepared, fold.validation, config, rng)
    run = TrainingRun(
        network=prepared.network(config),
        training=prepared.training,
        validation={entity: _sampled(rows, rng) for entity, rows in validation.items()},
        climatology_nll=prepared.climatology_nll,
        config=config,
        seed=seed,
    )
    network = run.fit(
        config.max_epochs,
        lambda epoch, losses: announce("training", epoch / config.max_epochs, epoch, losses),
        stop,
        memory,
    )
    announce("testing", 0.0, None, {})
    return _conclude(network, prepared, fold, validation, run.best_epoch, config, rng)


def _rows_of(
    prepared: Prepared, part: FoldPart, config: Config, rng: np.random.Generator
) -> dict[EntityKind, Examples]:
    sized = config.model_copy(update={"max_rows": config.max_scored_rows})
    found = {entity: prepared.examples(entity, part, sized, rng) for entity in prepared.layouts}
    return {entity: examples for entity, examples in found.items() if examples is not None}


def _sampled(examples: Examples, rng: np.random.Generator) -> Examples:
    """At most so many rows: early stopping needs no more."""
    if len(examples) <= MAX_VALIDATION_ROWS:
        return examples
    return examples.take(np.sort(rng.choice(len(examples), MAX_VALIDATION_ROWS, replace=False)))


def _conclude(
    network: SSMTLNetwork,
    prepared: Prepared,
    fold: Fold,
    validation: dict[EntityKind, Examples],
    epochs: int,
    config: Config,
    rng: np.random.Generator,
) -> FoldResult:
    result = FoldResult({}, {}, {}, [], epochs)
    test = {} if fold.test is None else _rows_of(prepared, fold.test, config, rng)
    for entity, layout in prepared.layouts.items():
        kind, baselines = network.kind(entity), prepared.baselines[entity]
        declared = declared_tasks(layout)
        seen = validation.get(entity)
        outputs = outputs_of(network, kind, seen) if seen is not None else None
        serving = choose_serving(kind, outputs, seen, baselines, prepared.scales, declared)
        result.serving.update(serving)
        if seen is not None and outputs is not None:
            result.edges.extend(edges_with_gain(kind, outputs, seen, prepared.correlation[entity]))
        if entity not in test or fold.test is None:
            continue
        colds = cold_reports(network, prepared, entity, declared, serving, fold.test, config)
        tested: Outputs = outputs_of(network, kind, test[entity])
        for task in declared:
            report = report_task(
                task,
                layout,
                serving[task.name],
                test[entity],
                tested,
                baselines,
                config.bootstrap,
                rng,
            )
            if report is not None:
                cold = colds.get(task.name)
                result.reports[task.name] = report.model_copy(update={"cold": cold})
        joint = joint_report(kind, tested, test[entity])
        if joint is not None:
            result.joint[entity] = joint
    return result
