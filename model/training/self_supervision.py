"""Tasks that the log itself poses: no declaration and no labels are needed.

They are nodes of the task graph like the declared ones, trained at every cutoff, also where the
declared labels are not yet known, and dropped from the artifact. Their names hold a colon, which no
declared name can. Beside them the network restores masked features from its state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from model.tasks import Count, EntityKind, Task

HORIZONS_DAYS = (7, 30)
MAX_EVENT_TYPES = 4
MASKED_SHARE = 0.1


def self_supervised_tasks(
    entity: EntityKind,
    event_types: Sequence[str],
    declared: Sequence[Task],
    longest_days: float,
) -> tuple[Task, ...]:
    """How many events of each type come, on a grid of horizons; whether any comes is its hurdle.

    Args:
        entity: users and items have them, pairs do not (their labels are sampled for the
            declared horizon).
        event_types: the most frequent first.
        declared: targets that are declared anyway are left out.
        longest_days: horizons beyond it would have few labels.
    """
    if entity == "pair":
        return ()
    asked = {
        (task.target, task.horizon_days)
        for task in declared
        if task.entity == entity and not task.start_days and not task.eligible
    }
    return tuple(
        Task.model_construct(
            name=f"self:{entity}_{target.kind}_{target.event_type}_{days}d",
            entity=entity,
            target=target,
            horizon_days=days,
            weight=1.0,
        )
        for event_type in event_types[:MAX_EVENT_TYPES]
        for days in HORIZONS_DAYS
        if (target := Count(event_type=event_type), days) not in asked and days <= longest_days
    )


def is_self_supervised(name: str) -> bool:
    """Whether a task was generated here."""
    return name.startswith("self:")


def mask_features(numbers: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Some numeric features made undefined: the masked numbers, and where they were masked."""
    masked = torch.rand(numbers.shape, generator=generator) < MASKED_SHARE
    masked &= ~numbers.isnan()
    return numbers.masked_fill(masked, float("nan")), masked


def reconstruction_loss(restored: Tensor, scaled: Tensor, masked: Tensor) -> Tensor:
    """Mean Huber loss of the masked features, in units of their spread."""
    if not bool(masked.any()):
        return restored.sum() * 0
    return functional.smooth_l1_loss(restored[masked], scaled[masked])
