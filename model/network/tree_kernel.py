"""All trees of all rows, walked down in machine code."""

# R = rows, F = features of each, N = nodes, M = trees, H = heads

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


@compiled
def add_trees(
    features: Floats,
    root: Longs,
    head: Longs,
    feature: Longs,
    threshold: Floats,
    low: Longs,
    high: Longs,
    value: Floats,
    said: Floats,
) -> None:
    """Add what the trees say.

    Args:
        features: (R, F)
        root: (M,) each tree's first node.
        head: (M,) to which answer it adds.
        feature: (N,) which feature a node asks for.
        threshold: (N,) up to here it goes on to `low`, beyond to `high`.
        low: (N,) the next node; a leaf's is itself.
        high: (N,)
        value: (N,) what a leaf adds.
        said: (R, H)
    """
    for tree in range(len(root)):
        for row in range(len(features)):
            at = root[tree]
            while low[at] != at:
                at = low[at] if features[row, feature[at]] <= threshold[at] else high[at]
            said[row, head[tree]] += value[at]
