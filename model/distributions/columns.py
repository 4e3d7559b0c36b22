"""Answers in columns: what `Distribution.answers` says row by row, without objects for rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.distributions.distributions import QUANTILES, Distribution, survival_days
from model.events import PERIOD_LABELS
from model.tasks import PeakPeriod


@dataclass(frozen=True)
class NamedShares:
    """A number for each of some names, row by row.

    Attributes:
        names: periods, classes or days.
        values: (R, names)
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]


AnswerColumn = NDArray[Any] | NamedShares


def columns_of(distribution: Distribution) -> dict[str, AnswerColumn]:
    """The answers' columns by name, `point` apart.

    Quantiles stand in a column per level, NaN where one lies beyond the horizon; `best` is text.
    """
    target = distribution.task.target
    match target.kind:
        case "occurs":
            return {"probability": distribution.probability_any}
        case "count" | "sum":
            return {
                "expected": distribution.expected,
                "probability_any": distribution.probability_any,
                **_quantiles(distribution),
            }
        case "time_to":
            return {
                "expected_days": distribution.expected,
                "probability_any": distribution.probability_any,
                **_quantiles(distribution),
                "survival": _survival(distribution),
            }
        case _ if isinstance(target, PeakPeriod):
            return _best_and_shares(distribution, tuple(PERIOD_LABELS[target.period]))
        case _ if distribution.classes:
            return _best_and_shares(distribution, distribution.classes)
        case _:
            return {"expected": distribution.expected, **_quantiles(distribution)}


def _quantiles(distribution: Distribution) -> dict[str, AnswerColumn]:
    return {f"quantile_{level}": distribution.quantile(level) for level in QUANTILES}


def _survival(distribution: Distribution) -> NamedShares:
    days = survival_days(distribution.task.horizon_days)
    left = [1 - distribution.probability_within(day) for day in days]
    return NamedShares(tuple(map(str, days)), np.stack(left, axis=1))


def _best_and_shares(distribution: Distribution, names: tuple[str, ...]) -> dict[str, AnswerColumn]:
    shares = distribution.probabilities
    best = np.array(names, dtype=object)[shares.argmax(axis=1)]
    return {"best": best, "probabilities": NamedShares(names, shares)}
