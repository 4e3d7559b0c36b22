"""Fits what is forecast of some tasks from a few features, by the likelihood of training labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from model.distributions import Layout
from model.network.likelihoods import negative_log_likelihood
from model.snapshots import (
    FoldPart,
    Forecast,
    PersonalFrequency,
    SeasonalNaive,
    Snapshot,
    SnapshotReader,
    has_personal_frequency,
    shop_shares,
)
from model.snapshots.personal_frequency import attribute_of, log_own_shares
from model.snapshots.seasons import Season
from model.tasks import PeakPeriod, Task
from model.training.examples import group_labels

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)
_MAX_ROWS = 50_000
_PRIOR_ROWS = 1.0
"""How many rows' worth of evidence stands for a weight of one and no biases."""


def fit_forecast(
    reader: SnapshotReader, snapshot: Snapshot, layout: Layout, task: Task, part: FoldPart
) -> Forecast | None:
    """The forecast of a task; None where it has none."""
    if isinstance(task.target, PeakPeriod):
        return _seasonal_naive(reader, snapshot, layout, task, part)
    if has_personal_frequency(task):
        return _personal_frequency(reader, snapshot, layout, task)
    return None


def _seasonal_naive(
    reader: SnapshotReader, snapshot: Snapshot, layout: Layout, task: Task, part: FoldPart
) -> SeasonalNaive:
    """The seasonal naive forecast with the strength that makes the training labels most likely."""
    assert isinstance(task.target, PeakPeriod)
    season = Season.of_target(task.target)
    sold = reader.choices_of(task.entity).places(task.target.event_type, task.target.where)
    shares = shop_shares(reader.history(task.entity), sold, season, part.label_end_us)
    columns = [feature.name for feature in reader.features(task.entity)]
    (group,) = layout.part([layout.position(task.name)]).groups
    labels = group_labels(snapshot, group, {}).dense(np.arange(len(snapshot)))
    candidates = [
        SeasonalNaive(season=season, shop_shares=tuple(shares.tolist()), strength=strength)
        for strength in _STRENGTHS
    ]

    def loss(candidate: SeasonalNaive) -> float:
        log_shares = candidate.log_shares(snapshot.inputs, columns, reader.log)
        nll = negative_log_likelihood("periods", torch.from_numpy(log_shares)[:, None], labels)
        return float(nll.nanmean())

    return min(candidates, key=loss)


def _personal_frequency(
    reader: SnapshotReader, snapshot: Snapshot, layout: Layout, task: Task
) -> PersonalFrequency:
    """The personal frequency forecast of the greatest likelihood."""
    columns = [feature.name for feature in reader.features(task.entity)]
    labels = snapshot.labels[task.name]
    assert isinstance(labels, np.ndarray)
    rows = np.flatnonzero(~np.isnan(labels))
    rows = rows[:: -(-len(rows) // _MAX_ROWS) or 1]
    attribute, classes = attribute_of(task), layout.classes[task.name]
    own = log_own_shares(attribute, classes, snapshot.inputs.take(rows), columns)
    weight, biases = _logistic(
        torch.from_numpy(own),
        torch.from_numpy(labels[rows]).long(),
        torch.from_numpy(snapshot.weights[rows] / snapshot.weights.mean()).double(),
    )
    return PersonalFrequency(
        attribute=attribute,
        classes=classes,
        weight=float(weight),
        biases=tuple(biases.tolist()),
    )


def _logistic(own_RK: Tensor, labels_R: Tensor, weights_R: Tensor) -> tuple[Tensor, Tensor]:
    """One weight and a bias per class."""
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    biases = torch.zeros(own_RK.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, biases], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        nll = functional.cross_entropy(weight * own_RK + biases, labels_R, reduction="none")
        pull = (weight - 1).square().sum() + biases.square().sum()
        loss = ((nll * weights_R).sum() + _PRIOR_ROWS * pull) / max(len(labels_R), 1)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), biases.detach()
