"""The competitor that users would build: LightGBM per task, on the rows of the contest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import boosting
from benchmarks.quality.boosting import Parts, Rows
from benchmarks.quality.contest import Ground, Nats, labels_of
from model.distributions import Layout, LikelihoodName
from model.tasks import EntityKind
from model.training.examples import Examples


def boosted(
    ground: Ground, seed: int, before_test: Mapping[EntityKind, Examples] | None = None
) -> Nats:
    """LightGBM on the same numbers, categories and outlook; it has no sequences.

    Args:
        ground: the rows.
        seed: of LightGBM.
        before_test: rows to learn from again, as many rounds as validation found.
    """
    nats: Nats = {}
    for entity, task in ground.tasks():
        rows = partial(_rows, ground.prepared.layouts[entity], task.name)
        parts = Parts(
            *(rows(ground.examples(entity, part)) for part in ("training", "validation", "test")),
            before_test=None if before_test is None else rows(before_test[entity]),
        )
        nll = _nll(ground.prepared.layouts[entity].group(task.name).likelihood, parts, seed)
        known = _known(ground.labels(entity, task.name, "test"))
        nats[task.name] = np.full(len(known), np.nan)
        nats[task.name][known] = nll
    return nats


def _nll(likelihood: LikelihoodName, parts: Parts, seed: int) -> NDArray[np.float64]:
    match likelihood:
        case "bernoulli":
            return boosting.bernoulli_nll(parts, seed)
        case "hurdle_log_normal":
            return boosting.hurdle_log_normal_nll(parts, seed)
        case "hurdle_negative_binomial":
            return boosting.hurdle_count_nll(parts, seed)
        case "categorical":
            classes = 1 + max(int(rows.y.max()) for rows in parts)
            return boosting.categorical_nll(parts, classes, seed)
        case "periods":
            return boosting.periods_nll(parts, seed)
        case _:
            raise ValueError(f"no task of the contest has a {likelihood} likelihood")


def _rows(layout: Layout, name: str, examples: Examples) -> Rows:
    labels = labels_of(layout, name, examples)
    known = _known(labels)
    inputs = examples.inputs
    parts = [inputs.numbers, inputs.categories.astype(np.float32)]
    if labels.ndim == 1:
        parts.append(examples.offsets[:, layout.columns_of(name).start, None].numpy())
    x = np.concatenate(parts, axis=1)[known]
    weights = examples.weights.double().numpy()[known]
    if labels.ndim == 1:
        return Rows(x, labels[known], weights)
    shares, log_exposure = labels[known, 0], labels[known, 1]
    return Rows(x, shares, weights, examples.naive[name][known] + log_exposure)


def _known(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    missing = np.isnan(labels)
    return ~missing if labels.ndim == 1 else ~missing[:, 0].any(axis=1)
