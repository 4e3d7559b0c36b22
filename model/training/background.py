"""Some training rows that stand for the average entity where predictions are explained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.training.examples import Examples

BACKGROUND_ROWS = 32


def background_rows(examples: Examples) -> dict[str, NDArray[np.generic]]:
    """What the network is fed with for a few rows, drawn by their weights, always the same ones."""
    weights = examples.weights.numpy().astype(np.float64)
    rng = np.random.default_rng(0)
    size = min(BACKGROUND_ROWS, int((weights > 0).sum()))
    rows = np.sort(rng.choice(len(weights), size, replace=False, p=weights / weights.sum()))
    return examples.reader.arrays(examples.inputs.take(rows))
