"""The predictive distributions, from the network's parameters, in NumPy.

    bernoulli                  p = expit(a)
    hurdle_negative_binomial   P(y > 0) = expit(a);  y - 1 | y > 0 ~ NB(mean exp(b), size exp(c))
    hurdle_log_normal          P(y > 0) = expit(a);  (log y - location) / scale | y > 0
                               ~ Normal(b, exp(c)), location and scale being the task's own
    periods                    softmax over the periods of a cycle
    categorical                softmax over the task's classes
    hazard                     see `model.distributions.hazards`
    normal                     (y - location) / scale ~ Normal(a, exp(b))

`model.network.likelihoods` has the densities of the same seven.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.distributions import amounts, densities, hazards
from model.distributions.layout import Layout
from model.distributions.scale import Scale
from model.distributions.special import expit, softmax
from model.events import PERIOD_LABELS
from model.tasks import PeakPeriod, Task

Floats = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
SURVIVAL_DAYS = (1, 3, 7, 14, 30, 60, 90, 180, 365)
"""A time to an event is told at these days, as far as the horizon goes, and at its end."""


@dataclass(frozen=True)
class Distribution:
    """One task's predictive distribution for R rows.

    Attributes:
        task: what is predicted.
        parameters: (R, parameters) as the network gives them.
        scale: the task's.
        classes: the task's, where it asks for one of several.
    """

    task: Task
    parameters: Floats
    scale: Scale = field(default_factory=Scale)
    classes: tuple[str, ...] = ()

    @property
    def point(self) -> Floats:
        """(R,) what a ranking sorts by: a probability, an expected value, the best one's share."""
        if self.task.target.kind in {"occurs", "time_to"}:
            return self.probability_any
        if self.task.target.kind == "peak_period" or self.classes:
            best: Floats = self.probabilities.max(axis=1)
            return best
        return self.expected

    @cached_property
    def probability_any(self) -> Floats:
        """(R,) probability of at least one event within the horizon."""
        if self.task.target.kind == "time_to":
            return self.probability_within(self.task.horizon_days)
        probability: Floats = expit(self.parameters[:, 0])
        return probability

    def probability_within(self, days: float) -> Floats:
        """(R,) probability that the event of a `time_to` task comes within so many days."""
        return hazards.probability_within(self.parameters, days / self.task.horizon_days)

    @cached_property
    def probabilities(self) -> Floats:
        """(R, periods or classes) share of each."""
        shares: Floats = softmax(self.parameters)
        return shares

    @cached_property
    def expected(self) -> Floats:
        """(R,) mean of a count, a sum or a number; of a time the days, at most the horizon's."""
        match self.task.target.kind:
            case "count":
                return amounts.count_mean(self.parameters)
            case "sum":
                return amounts.sum_mean(self.parameters, self.scale)
            case "time_to":
                mean: Floats = hazards.restricted_mean(self.parameters) * self.task.horizon_days
                return mean
            case _:
                return amounts.number_mean(self.parameters, self.scale)

    def quantile(self, level: float) -> Floats:
        """(R,) quantile of what `expected` is the mean of; NaN days lie beyond the horizon."""
        return self._quantile(level)

    def _quantile(self, level: float | Floats) -> Floats:
        """(R,) at one level, or at each row's."""
        match self.task.target.kind:
            case "count":
                return amounts.count_quantile(self.parameters, level)
            case "sum":
                return amounts.sum_quantile(self.parameters, level, self.scale)
            case "time_to":
                days: Floats = hazards.quantile(self.parameters, level) * self.task.horizon_days
                return days
            case _:
                return amounts.number_quantile(self.parameters, level, self.scale)

    def log_probability(self, outcome: float) -> Floats:
        """(R,) log of the probability, or of the density per unit, of a stated outcome.

        Sums and numbers have a density, but for a sum of 0; so do days, but for infinity, which
        says that the event does not come within the horizon.

        Raises:
            ValueError: the task is about periods or classes.
        """
        match self.task.target.kind:
            case "occurs":
                return densities.log_happens(self.parameters[:, 0], outcome > 0)
            case "count":
                return densities.log_count(self.parameters, outcome)
            case "sum":
                return densities.log_sum(self.parameters, outcome, self.scale)
            case "time_to":
                return densities.log_time(self.parameters, outcome, self.task.horizon_days)
            case "column" if not self.classes:
                return densities.log_number(self.parameters, outcome, self.scale)
        raise ValueError(f"task {self.task.name!r} is about one of several values")

    def answers(self) -> list[dict[str, Any]]:
        """One JSON object a row, its shape by the target's kind."""
        target = self.task.target
        match target.kind:
            case "occurs":
                return [{"kind": "occurs", "probability": p} for p in self.probability_any.tolist()]
            case "peak_period":
                return self._period_answers(target)
            case "count" | "sum":
                return [
                    {"kind": target.kind, **amount, "probability_any": some}
                    for amount, some in zip(
                        self._amounts("expected"), self.probability_any.tolist(), strict=True
                    )
                ]
            case "time_to":
                return self._time_answers()
            case "next":
                return [{"kind": "next", **best} for best in self._best_classes()]
            case "column":
                if self.classes:
                    shares = self._best_classes()
                    return [{"kind": "column", "values": "categories", **best} for best in shares]
                numbers = self._amounts("expected")
                return [{"kind": "column", "values": "numbers", **number} for number in numbers]

    def _amounts(self, name_of_mean: str) -> list[dict[str, Any]]:
        """Mean and quantiles; null where a quantile lies beyond the horizon."""
        quantiles = {
            str(level): [None if np.isnan(value) else value for value in found.tolist()]
            for level in QUANTILES
            for found in [self.quantile(level)]
        }
        return [
            {
                name_of_mean: expected,
                "quantiles": {level: values[row] for level, values in quantiles.items()},
            }
            for row, expected in enumerate(self.expected.tolist())
        ]

    def _time_answers(self) -> list[dict[str, Any]]:
        horizon = self.task.horizon_days
        days = survival_days(horizon)
        survival = [(1 - self.probability_within(day)).tolist() for day in days]
        rows = zip(
            self._amounts("expected_days"),
            self.probability_any.tolist(),
            zip(*survival, strict=True),
            strict=True,
        )
        return [
            {
                "kind": "time_to",
                **time,
                "probability_any": some,
                "survival": dict(zip(map(str, days), left, strict=True)),
            }
            for time, some, left in rows
        ]

    def _best_classes(self) -> list[dict[str, Any]]:
        return [
            {
                "best": self.classes[top],
                "probabilities": dict(zip(self.classes, shares, strict=True)),
            }
            for top, shares in self._best_and_shares()
        ]

    def _period_answers(self, target: PeakPeriod) -> list[dict[str, Any]]:
        labels = PERIOD_LABELS[target.period]
        return [
            {
                "kind": "peak_period",
                "period": target.period,
                "best": int(labels[top]),
                "probabilities": dict(zip(labels, shares, strict=True)),
            }
            for top, shares in self._best_and_shares()
        ]

    def _best_and_shares(self) -> list[tuple[int, list[float]]]:
        shares = self.probabilities
        return list(zip(shares.argmax(axis=1).tolist(), shares.tolist(), strict=True))


def survival_days(horizon_days: int) -> list[int]:
    """The days at which a time to an event is told."""
    return [*(day for day in SURVIVAL_DAYS if day < horizon_days), horizon_days]


def of_task(
    layout: Layout, name: str, flat: NDArray[np.floating], scales: dict[str, Scale]
) -> Distribution:
    """One task's distribution out of the flat parameters (R, columns)."""
    return Distribution(
        task=layout.tasks[layout.position(name)],
        parameters=flat[:, layout.columns_of(name)].astype(np.float64),
        scale=scales.get(name, Scale()),
        classes=layout.classes.get(name, ()),
    )
