"""How good predictions are: each metric in NumPy, rows weighted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auroc(probability: Floats, happened: NDArray[np.bool_], weights: Floats) -> float:
    """Area under the ROC curve, ties counted half; NaN unless both outcomes occur."""
    levels, group = np.unique(probability, return_inverse=True)
    positive = np.bincount(group, weights=weights * happened, minlength=len(levels))
    negative = np.bincount(group, weights=weights * ~happened, minlength=len(levels))
    pairs = positive.sum() * negative.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs)


def average_precision(probability: Floats, happened: NDArray[np.bool_], weights: Floats) -> float:
    """Mean precision at each positive, the highest probability first; NaN without a positive."""
    if not happened.any():
        return float("nan")
    order = np.argsort(-probability, kind="stable")
    hits = weights[order] * happened[order]
    precision = np.cumsum(hits) / np.cumsum(weights[order])
    return float(np.average(precision, weights=hits))


def calibration_error(
    probability: Floats, happened: NDArray[np.bool_], weights: Floats, bins: int = 10
) -> float:
    """Expected calibration error over bins of equal weight (Naeini et al., AAAI 2015)."""
    return float(
        sum(
            row["share"] * abs(row["predicted"] - row["observed"])
            for row in reliability(probability, happened, weights, bins)
        )
    )


def reliability(
    probability: Floats, happened: NDArray[np.bool_], weights: Floats, bins: int = 10
) -> list[dict[str, float]]:
    """Mean prediction beside the observed rate, in bins of equal weight."""
    order = np.argsort(probability, kind="stable")
    cumulative = np.cumsum(weights[order])
    edges = np.searchsorted(cumulative, cumulative[-1] * np.arange(1, bins) / bins)
    rows = []
    for chosen in np.split(order, edges):
        weight = weights[chosen].sum()
        if weight > 0:
            rows.append(
                {
                    "share": float(weight / cumulative[-1]),
                    "predicted": float(np.average(probability[chosen], weights=weights[chosen])),
                    "observed": float(np.average(happened[chosen], weights=weights[chosen])),
                }
            )
    return rows


def circular_error(predicted: NDArray[np.int64], actual: NDArray[np.int64], periods: int) -> float:
    """Mean distance in periods around the cycle: December is next to January."""
    distance = np.abs(predicted - actual)
    return float(np.minimum(distance, periods - distance).mean())


def skill(nll: Floats, climatology_nll: Floats, weights: Floats) -> float:
    """1 - NLL / NLL of the climatology; below zero is worse than knowing nothing of the entity."""
    return float(1 - (weights * nll).sum() / (weights * climatology_nll).sum())


def skill_interval(
    nll: Floats,
    climatology_nll: Floats,
    weights: Floats,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """The middle 90% of the skill under resampled rows (Efron's bootstrap, Poisson weights)."""
    gains = np.stack([weights * nll, weights * climatology_nll], axis=1)
    totals = np.array(
        [rng.poisson(1.0, size=len(nll)).astype(np.float64) @ gains for _ in range(resamples)]
    )
    low, high = np.quantile(1 - totals[:, 0] / np.maximum(totals[:, 1], 1e-12), [0.05, 0.95])
    return float(low), float(high)
