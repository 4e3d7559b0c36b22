"""What self-supervision is worth where labels are few: a tenth of the users have them.

Everybody has a past, which poses tasks of its own. With self-supervision the network learns from
all rows, without it from those that have labels. Both are validated on users who have labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.quality.contest import Ground, folds_of
from benchmarks.quality.networks import calibrated
from benchmarks.quality.scores import skills_of
from benchmarks.quality.shops import online_retail, tasks
from model.config import Config
from model.tasks import EntityKind
from model.training.compact_labels import CompactLabels
from model.training.examples import Examples
from model.training.self_supervision import is_self_supervised

SHARE = 0.1


def measure(data: Path, seeds: int, console: Console) -> dict[str, float]:
    """Print the gain of each seed, return its mean."""
    log, config = online_retail(data), Config()
    asked = [
        task for task in tasks() if task.entity == "user" and task.target.kind != "peak_period"
    ]
    (fold,) = folds_of(log, asked, config)
    ground = Ground.of(log, fold, config, seed=0)
    gains = [_gain(ground, seed) for seed in range(seeds)]
    spread = np.std(gains, ddof=1) if len(gains) > 1 else float("nan")
    console.print(
        f"self-supervision with {SHARE:.0%} of the labels: mean skill {np.mean(gains):+.4f}, "
        f"by seed {[round(gain, 4) for gain in gains]}, seed spread {spread:.4f}"
    )
    return {"self_supervision_gain_at_10_percent": float(np.mean(gains))}


def _gain(ground: Ground, seed: int) -> float:
    few = with_few_labels(ground, np.random.default_rng(seed))
    return _mean_skill(few, seed) - _mean_skill(without_self_supervision(few), seed)


def _mean_skill(ground: Ground, seed: int) -> float:
    return float(np.mean(list(skills_of(ground, calibrated(ground, seed)).values())))


def with_few_labels(ground: Ground, rng: np.random.Generator) -> Ground:
    """The declared tasks' labels of some users alone, in training and validation."""
    users = np.unique(ground.prepared.training["user"].inputs.users)
    kept = rng.choice(users, size=max(1, int(SHARE * len(users))), replace=False)
    training = dict(ground.prepared.training)
    training["user"] = _hidden(training["user"], ~np.isin(training["user"].inputs.users, kept))
    return replace(
        ground,
        prepared=replace(ground.prepared, training=training),
        validation=_of_users(ground.validation, kept),
    )


def without_self_supervision(ground: Ground) -> Ground:
    """The declared tasks alone, on the rows that have a label."""
    alone = ground.restricted([task.name for _, task in ground.tasks()])
    examples = alone.prepared.training["user"]
    labelled = np.any([(~group.isnan()).any(dim=1).numpy() for group in examples.labels], axis=0)
    training = {"user": examples.take(np.flatnonzero(labelled))}
    return replace(
        alone,
        prepared=replace(alone.prepared, training=training),
        config=alone.config.model_copy(update={"self_supervision": 0.0}),
    )


def _of_users(
    parts: Mapping[EntityKind, Examples], kept: NDArray[np.int64]
) -> dict[EntityKind, Examples]:
    return {
        entity: rows.take(np.flatnonzero(np.isin(rows.inputs.users, kept)))
        for entity, rows in parts.items()
    }


def _hidden(examples: Examples, hidden: NDArray[np.bool_]) -> Examples:
    compact = []
    for group, labels in zip(examples.layout.groups, examples.compact, strict=True):
        declared = np.array([not is_self_supervised(task.name) for task in group.tasks])
        compact.append(_without(labels, hidden, declared))
    return replace(examples, compact=tuple(compact))


def _without(
    labels: CompactLabels, rows: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> CompactLabels:
    """Some rows' labels of some tasks made missing: those rows get pieces of their own."""
    unknown = labels.usual.copy()
    unknown[:, chosen] = np.nan
    row = np.repeat(np.arange(len(rows)), np.diff(labels.starts))
    kept = ~(rows[row] & chosen[labels.task])
    return CompactLabels(
        usual=np.concatenate([labels.usual, unknown]),
        piece=labels.piece + np.where(rows, len(labels.usual), 0).astype(labels.piece.dtype),
        starts=np.concatenate([[0], np.cumsum(kept)])[labels.starts],
        task=labels.task[kept],
        values=labels.values[kept],
    )
