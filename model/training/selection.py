"""Chooses, per task and on validation rows, what is served: the calibrated model or a baseline."""

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
from model.network import KindNetwork
from model.network.likelihoods import negative_log_likelihood
from model.tasks import Task
from model.training.calibration import fit_calibration
from model.training.examples import Examples
from model.training.scoring import Outputs, mean_nll


def sources_of(task: Task) -> tuple[Source, ...]:
    """What can answer a task, the simplest first."""
    if task.target.kind == "peak_period":
        return ("climatology", "seasonal_naive", "model")
    return ("climatology", "recency_frequency", "model")


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
    kind: KindNetwork,
    outputs: Outputs | None,
    examples: Examples | None,
    baselines: Baselines,
    scales: Mapping[str, Scale],
    tasks: list[Task],
) -> dict[str, TaskServing]:
    """Calibrate the model and keep, per task, the source with the least validation NLL.

    A task without validation labels is served by its last baseline: an untested network is not
    trusted.
    """
    layout = kind.layout
    chosen = {
        task.name: TaskServing(source=sources_of(task)[-2], scale=scales.get(task.name, Scale()))
        for task in tasks
    }
    if examples is None or outputs is None:
        return chosen
    slope, shift = fit_calibration(kind, outputs.marginals, examples.labels, examples.weights)
    for task in tasks:
        columns = layout.columns_of(task.name)
        calibrated = chosen[task.name].model_copy(
            update={
                "slope": tuple(slope[columns].tolist()),
                "shift": tuple(shift[columns].tolist()),
            }
        )
        losses: dict[Source, float] = {}
        for source in sources_of(task):
            parameters = source_parameters(
                source, task.name, layout, calibrated, examples, outputs, baselines
            )
            nll = task_nll(layout, task.name, parameters, examples.labels)
            losses[source] = float(mean_nll(nll[:, None], examples.weights)[0])
        if not any(np.isnan(loss) for loss in losses.values()):
            best = min(losses, key=lambda source: losses[source])
            chosen[task.name] = calibrated.model_copy(update={"source": best})
    return chosen
