"""The competitor that users would build: LightGBM per task, on the rows of the contest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import boosting
from benchmarks.quality.boosting import Rows
from benchmarks.quality.contest import Ground, Nats
from model.distributions import LikelihoodName
from model.tasks import EntityKind

_PARTS = ("training", "validation", "test")


def boosted(ground: Ground, seed: int) -> Nats:
    """LightGBM on the same numbers, categories and outlook; it has no sequences."""
    nats: Nats = {}
    for entity, task in ground.tasks():
        layout = ground.prepared.layouts[entity]
        train, valid, test = (_rows(ground, entity, task.name, part) for part in _PARTS)
        nll = _nll(layout.group(task.name).likelihood, train, valid, test, seed)
        known = _known(ground.labels(entity, task.name, "test"))
        nats[task.name] = np.full(len(known), np.nan)
        nats[task.name][known] = nll
    return nats


def _nll(
    likelihood: LikelihoodName, train: Rows, valid: Rows, test: Rows, seed: int
) -> NDArray[np.float64]:
    match likelihood:
        case "bernoulli":
            logits = boosting.classified(train, valid, test, seed)
            return boosting.bernoulli_nll(logits, test.y)
        case "hurdle_log_normal":
            return boosting.hurdle_log_normal_nll(train, valid, test, seed)
        case "hurdle_negative_binomial":
            return boosting.hurdle_count_nll(train, valid, test, seed)
        case "categorical":
            classes = int(max(rows.y.max() for rows in (train, valid, test))) + 1
            return boosting.categorical_nll(train, valid, test, classes, seed)
        case "periods":
            return boosting.periods_nll(train, valid, test, seed)
        case _:
            raise ValueError(f"no task of the contest has a {likelihood} likelihood")


def _rows(ground: Ground, entity: EntityKind, name: str, part: str) -> Rows:
    examples, labels = ground.examples(entity, part), ground.labels(entity, name, part)
    known = _known(labels)
    inputs = examples.inputs
    columns = ground.prepared.layouts[entity].columns_of(name)
    parts = [inputs.numbers, inputs.categories.astype(np.float32)]
    if labels.ndim == 1:
        parts.append(examples.offsets[:, columns.start, None].numpy())
    x = np.concatenate(parts, axis=1)[known]
    weights = examples.weights.double().numpy()[known]
    if labels.ndim == 1:
        return Rows(x, labels[known], weights)
    shares, log_exposure = labels[known, 0], labels[known, 1]
    return Rows(x, shares, weights, examples.naive[name][known] + log_exposure)


def _known(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    missing = np.isnan(labels)
    return ~missing if labels.ndim == 1 else ~missing[:, 0].any(axis=1)
