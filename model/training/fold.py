"""One fold: train on its past, choose on its validation rows, report on its test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from model.config import Config, StopCallback
from model.distributions import TaskServing
from model.evaluation import Edge, JointReport, TaskReport
from model.evaluation.metrics import resampled
from model.events import EventLog
from model.network import SSMTLNetwork
from model.snapshots import Fold, FoldPart, Outlook
from model.tasks import EntityKind
from model.training.boosting import Rounds, boost
from model.training.cold import cold_reports
from model.training.evidence_shares import evidence_shares
from model.training.examples import Examples
from model.training.graph import edges_with_gain, joint_report
from model.training.loop import MAX_VALIDATION_ROWS, TrainingRun
from model.training.preparation import Prepared, declared_tasks, prepare
from model.training.scoring import outputs_in_chunks
from model.training.selection import choose_serving
from model.training.stacking import Shares, learn_shares, shares_of
from model.training.state import Memory
from model.training.testing import report_task

MAX_SCORED_CELLS = 200_000_000
"""Rows times tasks that are chosen by, and that are tested on."""
MAX_VALIDATION_CELLS = 50_000_000
"""Rows times tasks of early stopping."""
MIN_SCORED_ROWS = 1000

Announce = Callable[[str, float, int | None, dict[str, float]], None]
"""Tells the stage, the fraction of it that is done, the epoch and the losses."""


@dataclass(frozen=True)
class FoldResult:
    """What a fold says of its tasks, when it was best, and how much each voice counts there."""

    serving: dict[str, TaskServing]
    reports: dict[str, TaskReport]
    joint: dict[str, JointReport]
    edges: list[Edge]
    epochs: int
    rounds: dict[EntityKind, Rounds]
    shares: dict[EntityKind, Shares]


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
    validation = validation_rows(prepared, fold.validation, config, rng)
    run = fold_run(prepared, validation, config, seed)
    network = run.fit(
        config.max_epochs,
        lambda epoch, losses: announce("training", epoch / config.max_epochs, epoch, losses),
        stop,
        memory,
    )
    rounds: dict[EntityKind, Rounds] = {}
    if config.boosted:
        rounds = boost(
            network,
            prepared.training,
            validation,
            seed,
            check=lambda: announce("boosting", 0.0, None, {}),
        )
    announce("testing", 0.0, None, {})
    return _conclude(network, prepared, fold, validation, run.best_epoch, rounds, config, rng)


def fold_run(
    prepared: Prepared, validation: Mapping[EntityKind, Examples], config: Config, seed: int
) -> TrainingRun:
    """A training on a fold, stopped early on its validation rows; the same for the same seed."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    return TrainingRun(
        network=prepared.network(config),
        training=prepared.training,
        validation={entity: sampled(rows, rng) for entity, rows in validation.items()},
        climatology_nll=prepared.climatology_nll,
        config=config,
        seed=seed,
    )


def validation_rows(
    prepared: Prepared, part: FoldPart, config: Config, rng: np.random.Generator
) -> dict[EntityKind, Examples]:
    """The rows that tasks are judged on: of many tasks fewer."""
    found = {}
    for entity, layout in prepared.layouts.items():
        most = min(config.max_scored_rows, max(MIN_SCORED_ROWS, MAX_SCORED_CELLS // len(layout)))
        sized = config.model_copy(update={"max_rows": most})
        examples = prepared.examples(entity, part, sized, rng)
        if examples is not None:
            found[entity] = examples
    return found


def sampled(examples: Examples, rng: np.random.Generator) -> Examples:
    """At most so many rows: neither early stopping nor a level needs more."""
    cells = max(MIN_SCORED_ROWS, MAX_VALIDATION_CELLS // len(examples.layout))
    most = min(MAX_VALIDATION_ROWS, cells)
    if len(examples) <= most:
        return examples
    return examples.take(np.sort(rng.choice(len(examples), most, replace=False)))


def _conclude(
    network: SSMTLNetwork,
    prepared: Prepared,
    fold: Fold,
    validation: dict[EntityKind, Examples],
    epochs: int,
    rounds: dict[EntityKind, Rounds],
    config: Config,
    rng: np.random.Generator,
) -> FoldResult:
    result = FoldResult({}, {}, {}, [], epochs, rounds, {})
    test = {} if fold.test is None else validation_rows(prepared, fold.test, config, rng)
    came_true = prepared.came_true(fold.validation)
    for entity in prepared.layouts:
        kind = network.kind(entity)
        seen = validation.get(entity)
        if seen is not None:
            learn_shares(network, kind, seen, came_true)
            result.shares[entity] = shares_of(kind)
        result.serving.update(_chosen(network, prepared, entity, came_true, seen))
        if seen is not None:
            result.edges.extend(edges_with_gain(network, kind, seen))
        if entity not in test or fold.test is None:
            continue
        colds = cold_reports(network, prepared, entity, result.serving, fold.test, config)
        reports = _reports(network, prepared, entity, result.serving, test[entity], config, rng)
        for name, report in reports.items():
            result.reports[name] = report.model_copy(update={"cold": colds.get(name)})
        joint = joint_report(network, kind, test[entity])
        if joint is not None:
            result.joint[entity] = joint
    return result


def _chosen(
    network: SSMTLNetwork,
    prepared: Prepared,
    entity: EntityKind,
    came_true: Mapping[str, Outlook],
    seen: Examples | None,
) -> dict[str, TaskServing]:
    """How each declared task is served, as the validation rows say."""
    layout, baselines = prepared.layouts[entity], prepared.baselines[entity]
    if seen is None:
        declared = declared_tasks(layout)
        return choose_serving(layout, None, None, baselines, prepared.scales, declared)
    chosen: dict[str, TaskServing] = {}
    kind = network.kind(entity)
    for some, outputs, examples in outputs_in_chunks(network, kind, seen):
        own = baselines.of_tasks(layout, some.layout)
        found = choose_serving(
            some.layout,
            outputs,
            examples,
            own,
            prepared.scales,
            declared_tasks(some.layout),
            came_true,
        )
        shares = evidence_shares(kind, some, outputs, examples, found, own)
        chosen |= {
            name: how.model_copy(update={"evidence": shares[name]}) for name, how in found.items()
        }
    return chosen


def _reports(
    network: SSMTLNetwork,
    prepared: Prepared,
    entity: EntityKind,
    serving: Mapping[str, TaskServing],
    test: Examples,
    config: Config,
    rng: np.random.Generator,
) -> dict[str, TaskReport]:
    """What the test rows say of each declared task that has labels there."""
    layout = prepared.layouts[entity]
    counts = resampled(len(test), config.bootstrap, rng)
    found: dict[str, TaskReport] = {}
    for some, outputs, examples in outputs_in_chunks(network, network.kind(entity), test):
        baselines = prepared.baselines[entity].of_tasks(layout, some.layout)
        for task in declared_tasks(some.layout):
            report = report_task(
                task,
                some.layout,
                serving[task.name],
                examples,
                outputs,
                baselines,
                counts,
                has_time=prepared.reader.log.has_time,
            )
            if report is not None:
                found[task.name] = report
    return found
