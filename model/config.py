"""The settings of a fit, and what a fit says while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """Hyperparameters of the snapshots, the network and the training."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # Snapshots
    lookback_days: int = Field(
        default=730, gt=0, le=36_500, description="who had no event since has no row"
    )
    max_cutoffs: int = Field(
        default=26, gt=2, le=1_000, description="how many cutoffs are learned from"
    )
    max_rows: int = Field(
        default=300_000, gt=0, le=100_000_000, description="rows learned from, per entity kind"
    )
    max_scored_rows: int = Field(
        default=60_000,
        gt=0,
        le=100_000_000,
        description="rows validated on, and rows tested on, per entity kind",
    )
    sequence_length: int = Field(
        default=32, gt=0, le=1_024, description="how many last events are read"
    )
    item_vocabulary: int = Field(
        default=50_000, gt=0, le=10_000_000, description="items with an embedding"
    )
    pair_negatives: int = Field(
        default=8, gt=0, le=1_000, description="sampled items per user and cutoff"
    )
    pair_history: int = Field(
        default=24, gt=0, le=1_000, description="own past items per user and cutoff"
    )

    # Network
    width: int = Field(default=128, gt=0, le=4_096, description="channels of the shared state")
    members: int = Field(default=2, gt=0, le=64, description="members of the trunk's ensemble")
    embedding: int = Field(
        default=16, gt=0, le=1_024, description="channels of items and categories"
    )
    task_channels: int = Field(
        default=16, gt=0, le=1_024, description="channels of a task's embedding"
    )
    evidence_channels: int = Field(
        default=8, gt=0, le=1_024, description="channels of a message on an edge"
    )
    neighbours: int = Field(default=8, gt=0, le=1_000, description="evidence edges kept per task")
    dropout: float = Field(default=0.1, ge=0, lt=1)

    # Training
    batch_rows: int = Field(default=1024, gt=0, le=1_000_000)
    step_tasks: int = Field(
        default=256, gt=1, le=100_000, description="tasks of a step; of more some at random"
    )
    max_epochs: int = Field(default=24, gt=0, le=10_000)
    patience: int = Field(
        default=3, gt=0, le=10_000, description="epochs without a better validation loss"
    )
    max_steps_per_epoch: int = Field(
        default=100, gt=0, le=1_000_000, description="steps, over all entity kinds"
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    weight_decay: float = Field(default=2e-2, ge=0, le=10)
    self_supervision: float = Field(
        default=1.0, ge=0, le=100, description="weight of its loss; 0 is none"
    )
    boosted: bool = Field(
        default=True, description="whether boosted trees have a say beside the network"
    )
    trials: int = Field(
        default=0,
        ge=0,
        le=8,
        description="how many further settings of the trunk are tried; validation takes the best",
    )
    joint: bool = Field(
        default=True, description="whether it is learned what outcomes say about other tasks"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="of the trunk in training; bfloat16 where the processor has it and it agrees",
    )
    bootstrap: int = Field(default=200, gt=0, le=100_000, description="resamples of an interval")


@dataclass(frozen=True)
class Progress:
    """How far a fit has come.

    `fraction` is of the whole fit; `losses` are per task, the NLL over that of the climatology.
    """

    stage: str
    fraction: float
    epoch: int | None = None
    losses: dict[str, float] = field(default_factory=dict)


ProgressCallback = Callable[[Progress], None]
StopCallback = Callable[[], bool]
