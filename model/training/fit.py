"""The whole fit: folds to choose and to report, then one network on everything that has labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from model.artifact import Artifact, Description
from model.checkpoints import Checkpoints
from model.config import Config, Progress, ProgressCallback, StopCallback
from model.distributions import TaskServing
from model.errors import NotEnoughData, Stopped
from model.evaluation import Report, TaskGraph
from model.events import EventLog, to_datetime
from model.network import SSMTLNetwork
from model.snapshots import (
    FoldPart,
    Outlook,
    final_part,
    folds,
    least_amounts,
    watermark_us,
)
from model.snapshots.outlook import outlook_key
from model.tasks import EntityKind, Task
from model.training.background import background_rows
from model.training.boosting import Rounds, boost
from model.training.export import export_network
from model.training.fingerprint import fingerprint_of
from model.training.fold import Announce, FoldResult, run_fold
from model.training.funnels import funnels
from model.training.loop import TrainingRun
from model.training.preparation import Prepared, declared_tasks, prepare
from model.training.pruning import without_self_supervision
from model.training.recalibration import recalibrated
from model.training.resumption import Resumption
from model.training.search import search, settings_of
from model.training.selection import baselines_of
from model.training.self_supervision import is_self_supervised
from model.training.stacking import take_shares
from model.training.summaries import feature_summaries

MIN_EVENTS = 100
_STAGES = {
    "snapshots": (0.0, 0.1),
    "training": (0.1, 0.8),
    "boosting": (0.8, 0.9),
    "testing": (0.9, 1.0),
}
_FINAL_SHARE = 0.4
"""Share of the whole fit that the last network takes."""


def fit(
    log: EventLog,
    tasks: Sequence[Task],
    config: Config,
    seed: int,
    progress: ProgressCallback,
    stop: StopCallback,
    checkpoints: Checkpoints,
) -> Artifact:
    """Learn all tasks from the log, going on from the newest checkpoint of the same fit.

    Raises:
        NotEnoughData: the log is too short or too small.
        InvalidTask: what a task asks never or always happens.
        Stopped: `stop` said so.
    """
    if len(log) < MIN_EVENTS:
        raise NotEnoughData(
            f"the log has {len(log)} events, {MIN_EVENTS} are needed to learn from: import more"
        )
    resumption = Resumption(checkpoints, fingerprint_of(log, tasks, config, seed))
    with torch.random.fork_rng(devices=[]):
        everything = final_part(log, tasks, config.max_cutoffs)
        splits = folds(log, tasks, config.max_cutoffs)
        tried = len(list(settings_of(config))) if splits else 0
        share = (1 - _FINAL_SHARE) / max(tried + len(splits), 1)
        announcers = [
            _announcer(progress, stop, number * share, share)
            for number in range(tried + len(splits))
        ]
        if tried:
            widest = max(splits, key=lambda fold: len(fold.tasks))
            config = search(log, widest, config, seed, announcers, stop, resumption)
        for index in range(len(resumption.results), len(splits)):
            announce = announcers[tried + index]
            result = run_fold(log, splits[index], config, seed, announce, stop, resumption)
            resumption.add(result)
        announce = _announcer(progress, stop, 1 - _FINAL_SHARE, _FINAL_SHARE)
        return _final(log, tasks, everything, config, seed, resumption, announce, stop)


def _announcer(
    progress: ProgressCallback, stop: StopCallback, start: float, share: float
) -> Announce:
    def announce(stage: str, done: float, epoch: int | None, losses: dict[str, float]) -> None:
        if stop():
            raise Stopped("the training was stopped")
        low, high = _STAGES[stage]
        fraction = start + share * (low + (high - low) * min(done, 1.0))
        progress(Progress(stage, fraction, epoch, losses))

    return announce


def _final(
    log: EventLog,
    tasks: Sequence[Task],
    part: FoldPart,
    config: Config,
    seed: int,
    resumption: Resumption,
    announce: Announce,
    stop: StopCallback,
) -> Artifact:
    """Fit the served network on all cutoffs, for as many epochs as the slowest fold needed."""
    announce("snapshots", 0.0, None, {})
    results = resumption.results
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    prepared = prepare(log, tasks, part, config, rng)
    best = max((result.epochs for result in results), default=config.max_epochs // 2)
    epochs = max(best, 1)
    run = TrainingRun(
        network=prepared.network(config),
        training=prepared.training,
        validation={},
        climatology_nll=prepared.climatology_nll,
        config=config,
        seed=seed,
    )
    network = run.fit(
        epochs,
        lambda epoch, losses: announce("training", epoch / epochs, epoch, losses),
        stop,
        resumption,
    )
    if config.boosted:
        boost(
            network,
            prepared.training,
            {},
            seed,
            _rounds(results),
            check=lambda: announce("boosting", 0.0, None, {}),
        )
    for result in results:
        for entity, shares in result.shares.items():
            take_shares(network.kind(entity), shares)
    announce("testing", 0.0, None, {})
    learned = [task for task in tasks if task.name not in prepared.left_out]
    serving = _serving(learned, results, prepared)
    if log.has_time:
        serving = recalibrated(network, prepared, serving, rng)
    description = Description(
        config=config,
        seed=seed,
        cutoff_at=to_datetime(watermark_us(log)),
        plan=prepared.plan,
        tasks={entity: tuple(declared_tasks(own)) for entity, own in prepared.layouts.items()},
        serving=serving,
        forecasts=dict(prepared.forecasts),
        outlooks=_served_outlooks(learned, prepared),
        report=_report(learned, resumption, prepared, serving, epochs),
        task_graph=_task_graph(learned, results),
        feature_summaries=feature_summaries(prepared),
        least_amounts=least_amounts(prepared.reader.choices, learned),
        implied=tuple(
            pair
            for entity, layout in prepared.layouts.items()
            for pair in funnels(layout, prepared.training[entity])
        ),
    )
    return _artifact(description, without_self_supervision(network, config), prepared)


def _rounds(results: Sequence[FoldResult]) -> dict[EntityKind, Rounds]:
    """As the folds found them; of a question that several asked, the last one."""
    found: dict[EntityKind, Rounds] = {}
    for result in results:
        for entity, rounds in result.rounds.items():
            found[entity] = found.get(entity, {}) | rounds
    return found


def _artifact(description: Description, network: SSMTLNetwork, prepared: Prepared) -> Artifact:
    """The files of a network that has the declared tasks alone."""
    serving = description.serving
    private = [name for name, how in serving.items() if how.source == "private_head"]
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    exported = {
        entity: export_network(network, entity, prepared.training[entity], private)
        for entity in network.layouts
    }
    errors = {entity: error for entity, (_, error) in exported.items()}
    return Artifact(
        description=description.model_copy(update={"export_errors": errors}),
        # Heads that only training needs go; the embeddings that kinds share stand there once.
        weights={
            name: value
            for name, value in weights.items()
            if ".reconstruct." not in name and ".embeddings." not in name
        },
        baselines={
            entity: prepared.baselines[entity].of_tasks(prepared.layouts[entity], layout)
            for entity, layout in network.layouts.items()
        },
        networks={entity: content for entity, (content, _) in exported.items()},
        background={
            entity: background_rows(prepared.training[entity]) for entity in network.layouts
        },
    )


def _served_outlooks(tasks: Sequence[Task], prepared: Prepared) -> dict[str, Outlook]:
    """Those of the declared tasks."""
    asked = {outlook_key(task) for task in tasks}
    return {key: outlook for key, outlook in prepared.outlooks.items() if key in asked}


def _serving(
    tasks: Sequence[Task], results: Sequence[FoldResult], prepared: Prepared
) -> dict[str, TaskServing]:
    """As the folds chose; an untested task is served by its last baseline."""
    chosen = {name: how for result in results for name, how in result.serving.items()}
    classes = prepared.plan.classes
    return {
        task.name: chosen.get(task.name, TaskServing(source=baselines_of(task)[-1]))
        .with_classes(classes.get(task.name, ()))
        .model_copy(
            update={"scale": prepared.scales[task.name]} if task.name in prepared.scales else {}
        )
        for task in tasks
    }


def _report(
    tasks: Sequence[Task],
    resumption: Resumption,
    prepared: Prepared,
    serving: dict[str, TaskServing],
    epochs: int,
) -> Report:
    results = resumption.results
    reports = {name: report for result in results for name, report in result.reports.items()}
    return Report(
        tasks={task.name: reports[task.name] for task in tasks if task.name in reports},
        joint={entity: joint for result in results for entity, joint in result.joint.items()},
        untested={
            task.name: "the log is too short to test it on held-out time: served by "
            f"{serving[task.name].source}"
            for task in tasks
            if task.name not in reports
        },
        left_out=dict(prepared.left_out),
        training_rows={entity: len(rows) for entity, rows in prepared.training.items()},
        epochs=epochs,
        fit_s=resumption.elapsed_s,
        trials=tuple(resumption.trials),
        self_supervised_tasks=sum(
            is_self_supervised(task.name)
            for layout in prepared.layouts.values()
            for task in layout.tasks
        ),
    )


def _task_graph(tasks: Sequence[Task], results: Sequence[FoldResult]) -> TaskGraph:
    nodes = tuple(task.name for task in tasks)
    edges = [
        edge
        for result in results
        for edge in result.edges
        if edge.source in nodes and edge.target in nodes
    ]
    return TaskGraph(
        nodes=nodes,
        edges=tuple(sorted(edges, key=lambda edge: -edge.gain_nats)),
    )
