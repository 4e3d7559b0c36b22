"""How good are the predictions that users get: the last fit, as the service would have made it.

The contest compares the networks of folds. What is served was fitted again on all rows that had
labels by then, with what the folds had chosen. Here the log ends one horizon early, everything is
fitted by the defaults, and the predictions of that moment are compared with what then happened.
LightGBM per task is fitted again as well, with the rounds that it found on the newest validation.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.quality.boosted import boosted
from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.scores import skills_of
from benchmarks.quality.shops import HORIZONS_DAYS, online_retail, tasks
from model import SSMTL
from model.config import Config
from model.evaluation import Outturn
from model.evaluation.metrics import skill
from model.events import EventLog, to_datetime
from model.prediction import Predictor
from model.snapshots import (
    Fold,
    FoldPart,
    PeriodLabels,
    Snapshot,
    final_part,
    take_snapshot,
    watermark_us,
)
from model.tasks import EntityKind, Task
from model.training.examples import Examples
from model.training.preparation import prepare

_SAMPLING_SEED = 0
"""Of the pairs that everybody is asked about."""


def measure(data: Path, seeds: int, console: Console) -> dict[str, float]:
    """Print the skill of each task, return the means."""
    log = online_retail(data)
    asked = [task for task in tasks() if task.horizon_days <= max(HORIZONS_DAYS)]
    (fold,) = folds_of(log, asked, Config())
    assert fold.test is not None, "a comparison needs held-out time"
    (cutoff_us,) = fold.test.cutoffs_us
    known = log.until(cutoff_us)
    ours = [
        served_skills(SSMTL(asked, seed=seed).fit(known).predictor_, log, cutoff_us)
        for seed in range(seeds)
    ]
    peer = boosted_skills(log, fold, cutoff_us)
    _print(ours, peer, console)
    served, boosted_again = _mean(ours), _mean([peer])
    return {
        "mean_skill_as_served": served,
        "mean_skill_as_served_minus_lightgbm": served - boosted_again,
    }


def boosted_skills(log: EventLog, fold: Fold, cutoff_us: int) -> dict[str, float]:
    """Per task the skill of LightGBM that has learned again from all rows before the test."""
    config, rng = Config(), np.random.default_rng(0)
    part = final_part(log.until(cutoff_us), fold.tasks, config.max_cutoffs)
    prepared = prepare(log, fold.tasks, part, config, rng)

    def rows(of_fold: FoldPart, most: int) -> dict[EntityKind, Examples]:
        sized = config.model_copy(update={"max_rows": most})
        sampling = np.random.default_rng(_SAMPLING_SEED)
        found = {
            entity: prepared.examples(entity, of_fold, sized, sampling)
            for entity in prepared.layouts
        }
        return {entity: examples for entity, examples in found.items() if examples is not None}

    first = {
        # As in any training: with what came true, which the shop's outlook was not to know.
        entity: replace(examples, outlooks=prepared.training[entity].outlooks)
        for entity, examples in rows(fold.training, config.max_rows).items()
    }
    assert fold.test is not None
    ground = Ground(
        fold,
        replace(prepared, training=first),
        rows(fold.validation, config.max_scored_rows),
        rows(fold.test, config.max_scored_rows),
        config,
    )
    return skills_of(ground, boosted(ground, seed=0, before_test=prepared.training))


def served_skills(predictor: Predictor, log: EventLog, cutoff_us: int) -> dict[str, float]:
    """Per task 1 - NLL / NLL of the climatology, of what is served at a cutoff.

    Args:
        predictor: fitted on the log up to the cutoff.
        log: with what happened after it.
        cutoff_us: when everybody is asked about.
    """
    part = FoldPart((cutoff_us,), watermark_us(log))
    described = predictor.artifact.description
    config = described.config.model_copy(update={"max_rows": described.config.max_scored_rows})
    sampling = np.random.default_rng(_SAMPLING_SEED)
    found: dict[str, float] = {}
    for entity, of_entity in described.tasks.items():
        snapshot = take_snapshot(predictor.reader(log), entity, of_entity, part, config, sampling)
        if snapshot is not None:
            served = _served(predictor, log, snapshot, cutoff_us)
            found |= {task.name: _skill(predictor, snapshot, served, task) for task in of_entity}
    return found


def _served(
    predictor: Predictor, log: EventLog, snapshot: Snapshot, cutoff_us: int
) -> NDArray[np.float32]:
    """(R, columns) what is answered for the rows of a snapshot."""
    entity, rows = snapshot.entity, snapshot.inputs
    users = None if entity == "item" else rows.users
    items = None if entity == "user" else rows.items
    return predictor.score(log, entity, users, items, to_datetime(cutoff_us)).parameters


def _skill(
    predictor: Predictor, snapshot: Snapshot, served: NDArray[np.float32], task: Task
) -> float:
    entity, label = snapshot.entity, snapshot.labels[task.name]
    assert not isinstance(label, PeriodLabels), "no whole cycle is tested"
    scorer, baselines = predictor.scorer(entity), predictor.artifact.baselines[entity]
    outturn = Outturn.of(
        scorer.distribution(task.name, served),
        scorer.layout.group(task.name),
        baselines.climatology[scorer.layout.columns_of(task.name)],
        label,
    )
    weights = snapshot.weights[~np.isnan(label)].astype(np.float64)
    return skill(outturn.nll, outturn.climatology_nll, weights)


def _mean(runs: list[dict[str, float]]) -> float:
    return float(np.mean([list(run.values()) for run in runs]))


def _print(ours: list[dict[str, float]], peer: dict[str, float], console: Console) -> None:
    table = Table(title="Skill of what is served, on what happened after the fit")
    for column in ("task", "SSMTL", "by seed", "LightGBM"):
        table.add_column(column, justify="right")
    for task in ours[0]:
        runs = [run[task] for run in ours]
        by_seed = ", ".join(f"{run:.4f}" for run in runs)
        table.add_row(task, f"{np.mean(runs):.4f}", by_seed, f"{peer[task]:.4f}")
    by_seed = ", ".join(f"{_mean([run]):.4f}" for run in ours)
    table.add_row("mean", f"{_mean(ours):.4f}", by_seed, f"{_mean([peer]):.4f}")
    console.print(table)
