"""Where the last network stands in the mean, found anew on the newest rows that it learned from.

What a fold's calibration moves has two causes: what its network gets wrong, and what has changed
since the rows that it learned from. The last network has learned from newer ones, so that the
fold's shift would correct a change that it knows. How sure a network may be shows only on rows
that it has not met, so that slopes and spreads stay; a mean level, one number for thousands of
rows, is not learned by heart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Layout, TaskServing
from model.network import SomeTasks, SSMTLNetwork
from model.snapshots import has_label
from model.tasks import Task
from model.training.calibration import fit_levels
from model.training.examples import Examples
from model.training.fold import sampled
from model.training.preparation import Prepared
from model.training.scoring import CHUNK_TASKS, outputs_of, states_of

NEWEST_CUTOFFS = 5
"""Of those at which a task has labels, so many are looked at."""


def recalibrated(
    network: SSMTLNetwork,
    prepared: Prepared,
    serving: Mapping[str, TaskServing],
    rng: np.random.Generator,
) -> dict[str, TaskServing]:
    """How the tasks are served by the last network: with the folds' slopes, at levels of its own.

    Args:
        network: trained on the rows of `prepared`.
        prepared: its training rows.
        serving: as the folds chose; who is not calibrated stays as they are.
        rng: samples rows.
    """
    found = dict(serving)
    for entity, examples in prepared.training.items():
        calibrated = [task for task in examples.layout.tasks if _is_calibrated(serving, task)]
        if not calibrated:
            continue
        since_us = _newest(calibrated, examples.inputs.cutoffs_us, prepared.label_end_us)
        recent = np.flatnonzero(examples.inputs.cutoffs_us >= min(since_us.values()))
        newest = sampled(examples.take(recent), rng)
        kind = network.kind(entity)
        states = states_of(network, kind, newest)
        positions = [examples.layout.position(task.name) for task in calibrated]
        for some in SomeTasks.chunks(examples.layout, CHUNK_TASKS, positions):
            shift_O = fit_levels(
                some.layout,
                outputs_of(network, kind, newest, states, some).marginals,
                *_calibration(some.layout, serving),
                _labels_since(newest.of_tasks(some), since_us),
                newest.weights,
            )
            for task in some.layout.tasks:
                shift = tuple(shift_O[some.layout.columns_of(task.name)].tolist())
                found[task.name] = serving[task.name].model_copy(update={"shift": shift})
    return found


def _is_calibrated(serving: Mapping[str, TaskServing], task: Task) -> bool:
    return task.name in serving and bool(serving[task.name].slope)


def _newest(tasks: list[Task], cutoffs_us: NDArray[np.int64], label_end_us: int) -> dict[str, int]:
    """Per task the first of the newest cutoffs at which it has labels."""
    every = np.unique(cutoffs_us).tolist()
    found = {}
    for task in tasks:
        labelled = [at_us for at_us in every if has_label(task, at_us, label_end_us)]
        found[task.name] = labelled[-NEWEST_CUTOFFS:][0]
    return found


def _calibration(layout: Layout, serving: Mapping[str, TaskServing]) -> tuple[Tensor, Tensor]:
    """The slopes and the shifts of all columns."""
    of_tasks = [serving[task.name] for task in layout.tasks]
    slopes = [slope for how in of_tasks for slope in how.slope]
    shifts = [shift for how in of_tasks for shift in how.shift]
    return torch.tensor(slopes), torch.tensor(shifts)


def _labels_since(examples: Examples, since_us: Mapping[str, int]) -> list[Tensor]:
    """The labels per group, those of a task's earlier cutoffs missing."""
    cutoffs_us = examples.inputs.cutoffs_us
    found = []
    for group, labels in zip(examples.layout.groups, examples.labels, strict=True):
        first_us = np.array([since_us[task.name] for task in group.tasks])
        early = torch.from_numpy(cutoffs_us[:, None] < first_us)
        early = early.view(*early.shape, *(1 for _ in labels.shape[2:]))
        found.append(labels.masked_fill(early, torch.nan))
    return found
