"""Pretraining: where labels are few, an entity kind learns the log's own tasks first.

A network that begins with few labels has learned them by heart before it has learned what the log
says of everybody. Where all rows have labels there is nothing to gain.
"""

from __future__ import annotations

import numpy as np
import torch

from model.distributions import Layout
from model.network import SomeTasks
from model.training.examples import Examples
from model.training.loss import TaskWeights
from model.training.self_supervision import is_self_supervised

PRETRAINING_EPOCHS = 4
SCARCE_SHARE = 0.25
"""Of a kind's rows: with declared labels on fewer, labels are few."""
_LOOKED_AT_ROWS, _LOOKED_AT_TASKS = 2000, 64


def has_few_labels(examples: Examples) -> bool:
    """Whether the log poses tasks, and few rows have a label of a declared one."""
    tasks = examples.layout.tasks
    declared = [at for at, task in enumerate(tasks) if not is_self_supervised(task.name)]
    if len(declared) == len(tasks):
        return False
    step = max(1, len(examples) // _LOOKED_AT_ROWS)
    some = SomeTasks.at(examples.layout, declared[:_LOOKED_AT_TASKS])
    labels = examples.take(np.arange(0, len(examples), step)).of_tasks(some).labels
    known = [(~of_group.isnan()).flatten(1).any(dim=1) for of_group in labels]
    share = torch.stack(known).any(dim=0).float().mean()
    return float(share) < SCARCE_SHARE


def of_own_tasks(layout: Layout, weights: TaskWeights) -> TaskWeights:
    """The same with nothing for the declared tasks."""
    own = torch.tensor([is_self_supervised(task.name) for task in layout.tasks])
    return TaskWeights(torch.where(own, weights.values, 0.0))
