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
    """Mean precision at each positive, the highest probability first; NaN without a positive.

    Rows of one probability are looked at together, so that their order does not matter.
    """
    if not happened.any():
        return float("nan")
    levels, group = np.unique(-probability, return_inverse=True)
    hits = np.bincount(group, weights=weights * happened, minlength=len(levels))
    precision = np.cumsum(hits) / np.cumsum(np.bincount(group, weights=weights))
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
    """Mean prediction beside the observed rate, in bins of equal weight; ties stay together."""
    _, group = np.unique(probability, return_inverse=True)
    total = np.bincount(group, weights=weights)
    middle = (np.cumsum(total) - total / 2) / total.sum()
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)[group]
    rows = []
    for number in range(bins):
        chosen = bin_of == number
        if chosen.any():
            weight = weights[chosen]
            rows.append(
                {
                    "share": float(weight.sum() / weights.sum()),
                    "predicted": float(np.average(probability[chosen], weights=weight)),
                    "observed": float(np.average(happened[chosen], weights=weight)),
                }
            )
    return rows


def circular_error(predicted: NDArray[np.int64], actual: NDArray[np.int64], periods: int) -> float:
    """Mean distance in periods around the cycle: December is next to January."""
    distance = np.abs(predicted - actual)
    return float(np.minimum(distance, periods - distance).mean())


def top_accuracy(
    probabilities: Floats, actual: NDArray[np.int64], weights: Floats, places: int
) -> float:
    """How often the actual class is among the most probable ones, so many of them."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :places]
    return float(np.average((order == actual[:, None]).any(axis=1), weights=weights))


def concordance(expected: Floats, actual: Floats, weights: Floats, most_rows: int = 4000) -> float:
    """How often, of two entities, the one expected sooner is sooner; NaN without such a pair.

    Harrell's C (Harrell et al., JAMA 1982): pairs of which it is known who is sooner, ties of the
    expected times counted half.

    Args:
        expected: (R,) times.
        actual: (R,) times, infinite where the event did not come within the horizon.
        weights: (R,) a pair counts the product.
        most_rows: of more rows so many are looked at, evenly spaced.
    """
    rows = np.unique(np.linspace(0, len(actual) - 1, min(len(actual), most_rows)).astype(np.int64))
    expected, actual, weights = expected[rows], actual[rows], weights[rows]
    right = total = 0.0
    for row in np.flatnonzero(np.isfinite(actual)):
        later = actual > actual[row]
        total += weights[row] * weights[later].sum()
        sooner = (expected > expected[row]) + 0.5 * (expected == expected[row])
        right += weights[row] * (weights * sooner)[later].sum()
    return float(right / total) if total else float("nan")


def skill(nll: Floats, climatology_nll: Floats, weights: Floats) -> float:
    """1 - NLL / NLL of the climatology; below zero is worse than knowing nothing of the entity."""
    return float(1 - (weights * nll).sum() / (weights * climatology_nll).sum())


def resampled(rows: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(resamples, rows) how often each row is in each resample of Efron's bootstrap, Poisson drawn.

    Drawn once for all that is told of the same rows: drawing takes longer than adding up.
    """
    return rng.poisson(1.0, size=(resamples, rows)).astype(np.float32)


def skill_interval(
    nll: Floats, climatology_nll: Floats, weights: Floats, counts: NDArray[np.float32]
) -> tuple[float, float]:
    """The middle 90% of the skill under resampled rows; `counts` are (resamples, rows)."""
    gains = np.stack([weights * nll, weights * climatology_nll], axis=1).astype(np.float32)
    totals = (counts @ gains).astype(np.float64)
    low, high = np.quantile(1 - totals[:, 0] / np.maximum(totals[:, 1], 1e-12), [0.05, 0.95])
    return float(low), float(high)
