"""How far the inputs of now lie from those that the model has learned from, feature by feature.

    population stability index = sum over bins of (now - then) log(now / then)

(Siddiqi, Credit Risk Scorecards, 2006.) The bins of a number are those that cut its training rows
into tenths, and one for what is missing; a category has a bin for each value. By custom, below 0.1
nothing has changed and above 0.25 much has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

BINS = 10
_LEAST_SHARE = 1e-3
"""An empty bin counts as so little, or a single row in it would be a catastrophe."""


class FeatureSummary(BaseModel):
    """How a feature was distributed among the training rows.

    Attributes:
        edges: where the bins of a number end, ascending, the last but one without end and the last
            for missing numbers; of a category None.
        shares: of the rows in each bin.
    """

    model_config = ConfigDict(frozen=True)

    edges: tuple[float, ...] | None
    shares: tuple[float, ...]


def summarise_number(values: NDArray[np.floating], weights: NDArray[np.floating]) -> FeatureSummary:
    """Bins of equal weight; values that many rows have make fewer bins.

    Args:
        values: (R,)
        weights: (R,)
    """
    there = np.isfinite(values)
    known = values[there].astype(np.float64)
    order = np.argsort(known, kind="stable")
    total = np.cumsum(weights[there][order].astype(np.float64))
    edges = np.zeros(0)
    if len(known):
        wanted = total[-1] * np.arange(1, BINS) / BINS
        edges = np.unique(known[order][np.minimum(np.searchsorted(total, wanted), len(known) - 1)])
    bins = _bin_of(edges, values)
    return FeatureSummary(
        edges=tuple(edges.tolist()), shares=_shares(bins, weights, len(edges) + 2)
    )


def summarise_category(
    codes: NDArray[np.int64], known: int, weights: NDArray[np.floating]
) -> FeatureSummary:
    """A bin for each value; the first one is for unknown ones.

    Args:
        codes: (R,) from 0 for unknown to `known`.
        known: how many values there are.
        weights: (R,)
    """
    return FeatureSummary(edges=None, shares=_shares(codes, weights, known + 1))


def summarise(
    names: Sequence[str],
    numbers: NDArray[np.floating],
    categories: Mapping[str, int],
    codes: NDArray[np.int64],
    weights: NDArray[np.floating],
) -> dict[str, FeatureSummary]:
    """All features of some rows by name.

    Args:
        names: of the numbers, in order.
        numbers: (R, numbers)
        categories: how many known values each categorical attribute has, in order.
        codes: (R, categories)
        weights: (R,)
    """
    found = {name: summarise_number(numbers[:, at], weights) for at, name in enumerate(names)}
    for at, (name, known) in enumerate(categories.items()):
        found[name] = summarise_category(codes[:, at], known, weights)
    return found


def stability_index(summary: FeatureSummary, values: NDArray[np.generic]) -> float:
    """The population stability index of these rows against the training rows.

    Args:
        summary: of the training rows.
        values: (R,) numbers, or codes of a category.
    """
    then = np.maximum(summary.shares, _LEAST_SHARE)
    if summary.edges is None:
        bins = values.astype(np.int64)
    else:
        bins = _bin_of(np.array(summary.edges), values.astype(np.float64))
    now = np.maximum(_shares(bins, np.ones(len(bins)), len(then)), _LEAST_SHARE)
    return float(((now - then) * np.log(now / then)).sum())


def _bin_of(edges: NDArray[np.floating], values: NDArray[np.floating]) -> NDArray[np.int64]:
    bins = np.searchsorted(edges, values).astype(np.int64)
    return np.where(np.isfinite(values), bins, len(edges) + 1)


def _shares(
    bins: NDArray[np.int64], weights: NDArray[np.floating], count: int
) -> tuple[float, ...]:
    total = np.bincount(bins, weights=weights.astype(np.float64), minlength=count)
    return tuple((total / total.sum()).tolist())
