"""Chooses, per task and on validation rows, what is served.

The calibrated model, the task's private head, or a baseline.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import (
    Baselines,
    Layout,
    Scale,
    Source,
    TaskServing,
    baseline_parameters,
)
from model.events import MICROSECONDS_PER_DAY
from model.network.likelihoods import negative_log_likelihood
from model.snapshots import Outlook, has_personal_frequency
from model.tasks import Task
from model.training.calibration import fit_calibration
from model.training.examples import Examples
from model.training.scoring import Outputs


def baselines_of(task: Task) -> tuple[Source, ...]:
    """What can answer a task without having learned from its features, the simplest first."""
    if task.target.kind == "peak_period":
        return ("climatology", "seasonal_naive")
    if has_personal_frequency(task):
        return ("climatology", "recency_frequency", "personal_frequency")
    return ("climatology", "recency_frequency")


def sources_of(task: Task) -> tuple[Source, ...]:
    """What can answer a task, the simplest first."""
    return (*baselines_of(task), "private_head", "model")


def source_parameters(
    source: Source,
    name: str,
    layout: Layout,
    serving: TaskServing,
    examples: Examples,
    outputs: Outputs,
    baselines: Baselines,
) -> NDArray[np.float32]:
    """(R, parameters) one task's parameters from one source."""
    columns = layout.columns_of(name)
    if source == "model":
        return serving.calibrate(outputs.marginals[:, columns].numpy())
    if source == "private_head":
        return outputs.private[:, columns].numpy()
    return baseline_parameters(
        source,
        layout.position(name),
        columns,
        examples.naive.get(name),
        baselines,
        examples.inputs.numbers,
    )


def task_nll(
    layout: Layout, name: str, parameters: NDArray[np.float32], labels: list[Tensor]
) -> Tensor:
    """(R,) nats of one task, NaN where the label is missing."""
    group = layout.group(name)
    of_group = labels[layout.groups.index(group)]
    of_task = of_group[:, [layout.position(name) - group.first_task]]
    nll = negative_log_likelihood(group.likelihood, torch.from_numpy(parameters)[:, None], of_task)
    return nll[:, 0]


def choose_serving(
    layout: Layout,
    outputs: Outputs | None,
    examples: Examples | None,
    baselines: Baselines,
    scales: Mapping[str, Scale],
    tasks: list[Task],
    came_true: Mapping[str, Outlook] | None = None,
) -> dict[str, TaskServing]:
    """Calibrate the model and choose, per task, the source by its validation NLL.

    With the outlooks that came true calibration knows what was the shop's doing; the choice does
    not know it.

    A private head is served as it was learned: it is linear, and was fitted to nothing else.

    The most informed source wins whose NLL is not worse than the best one's by more than a standard
    error of their difference (Breiman et al., 1984, the one-standard-error rule, turned to the
    side of the model: the baselines know less of what the validation rows did not show).

    A task without validation labels is served by its last baseline: an untested network is not
    trusted.
    """
    chosen = {
        task.name: TaskServing(
            source=baselines_of(task)[-1],
            scale=scales.get(task.name, Scale()),
            classes=layout.classes.get(task.name, ()),
        )
        for task in tasks
    }
    if examples is None or outputs is None:
        return chosen
    expected = outputs.marginals
    realised = expected if came_true is None else expected + examples.moved_beyond(came_true)
    slope, shift = fit_calibration(layout, realised, examples.labels, examples.weights)
    for task in tasks:
        columns = layout.columns_of(task.name)
        calibrated = chosen[task.name].model_copy(
            update={
                "slope": tuple(slope[columns].tolist()),
                "shift": tuple(shift[columns].tolist()),
            }
        )
        nll = {
            source: task_nll(
                layout,
                task.name,
                source_parameters(
                    source, task.name, layout, calibrated, examples, outputs, baselines
                ),
                examples.labels,
            )
            for source in sources_of(task)
        }
        best = _most_informed(nll, examples.weights, _tells_apart(task, examples))
        if best is not None:
            learned = calibrated if best == "model" else chosen[task.name]
            chosen[task.name] = learned.model_copy(update={"source": best})
    return chosen


def _tells_apart(task: Task, examples: Examples) -> Tensor:
    """(R,) whether a row can tell a good source from a bad one.

    Before a whole cycle has been seen nothing is known of the season to come, so that the rows of
    a peak period would prefer whoever says nothing.
    """
    if task.target.kind != "peak_period":
        return torch.ones(len(examples), dtype=torch.bool)
    history_us = examples.inputs.cutoffs_us - examples.reader.log.first_us
    return torch.from_numpy(history_us >= task.horizon_days * MICROSECONDS_PER_DAY)


def _most_informed(nll: Mapping[Source, Tensor], weights: Tensor, counts: Tensor) -> Source | None:
    """The last source within a standard error of the best; None without a label.

    Args:
        nll: (R,) per source, the simplest first.
        weights: (R,)
        counts: (R,) which rows are looked at.
    """
    known = counts & ~torch.stack(list(nll.values())).isnan().any(dim=0)
    if int(known.sum()) < 2:
        return None
    weighted = {source: (values * weights)[known] for source, values in nll.items()}
    best = min(weighted, key=lambda source: float(weighted[source].mean()))
    chosen = best
    for source, values in weighted.items():
        worse = values - weighted[best]
        if float(worse.mean()) <= float(worse.std()) / len(worse) ** 0.5:
            chosen = source
    return chosen
