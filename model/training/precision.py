"""Training in half the bits where the processor multiplies them faster, and the results agree."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from model.network import Batch, KindNetwork

Precision = Literal["float32", "bfloat16"]
MAX_ERROR = 0.02
"""How far the states may be from those of float32, over their size."""


def is_supported() -> bool:
    """Whether the processor has instructions for bfloat16."""
    return torch.cpu._is_avx512_bf16_supported()


def usable(wanted: Precision, kind: KindNetwork, batch: Batch) -> Precision:
    """What is wanted, unless the processor lacks it or the states of a batch differ too much."""
    if wanted == "bfloat16" and is_supported() and error_of(kind, batch) <= MAX_ERROR:
        return wanted
    return "float32"


@torch.no_grad()
def error_of(kind: KindNetwork, batch: Batch) -> float:
    """How far the states in bfloat16 are from those in float32, over their size."""
    was_training = kind.training
    kind.eval()
    exact, rounded = state_of(kind, batch, "float32"), state_of(kind, batch, "bfloat16")
    kind.train(was_training)
    return float((rounded - exact).norm() / exact.norm().clamp_min(1e-12))


def state_of(kind: KindNetwork, batch: Batch, precision: Precision) -> Tensor:
    """(B, D) the shared state; its products of matrices in the given precision, the rest exact."""
    if precision == "float32":
        return kind.state(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = kind.state(batch)
    return state.float()
