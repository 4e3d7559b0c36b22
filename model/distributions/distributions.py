"""The predictive distributions, from the network's parameters, in NumPy.

    bernoulli                  p = expit(a)
    hurdle_negative_binomial   P(y > 0) = expit(a);  y - 1 | y > 0 ~ NB(mean exp(b), size exp(c))
    hurdle_log_normal          P(y > 0) = expit(a);  (log y - location) / scale | y > 0
                               ~ Normal(b, exp(c)), location and scale being the task's own
    periods                    softmax over the periods of a cycle

`model.network.likelihoods` has the densities of the same four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri, softmax
from scipy.stats import nbinom

from model.distributions.layout import Layout
from model.events import PERIOD_LABELS
from model.tasks import PeakPeriod, Task

Floats = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
LOG_MEAN_RANGE = (-8.0, 14.0)
LOG_SIZE_RANGE = (-4.0, 6.0)
LOG_SIGMA_RANGE = (-2.5, 1.5)


@dataclass(frozen=True)
class Scale:
    """Location and scale of a `sum` task's log amounts; 0 and 1 for the other kinds."""

    location: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Distribution:
    """One task's predictive distribution for R rows.

    Attributes:
        task: what is predicted.
        parameters: (R, parameters) as the network gives them.
        scale: the task's.
    """

    task: Task
    parameters: Floats
    scale: Scale = Scale()

    @property
    def point(self) -> Floats:
        """(R,) what a ranking sorts by: a probability, an expected value, a peak's probability."""
        match self.task.target.kind:
            case "occurs":
                return self.probability_any
            case "peak_period":
                best: Floats = self.probabilities.max(axis=1)
                return best
            case _:
                return self.expected

    @property
    def probability_any(self) -> Floats:
        """(R,) probability of at least one event; not for periods."""
        probability: Floats = expit(self.parameters[:, 0])
        return probability

    @property
    def probabilities(self) -> Floats:
        """(R, periods) share of each period."""
        shares: Floats = softmax(self.parameters, axis=1)
        return shares

    @property
    def expected(self) -> Floats:
        """(R,) mean of a count or sum."""
        a, b, c = self.parameters.T
        if self.task.target.kind == "count":
            return np.asarray(expit(a) * (1 + np.exp(np.clip(b, *LOG_MEAN_RANGE))))
        mean, deviation = self._log_amount(b, c)
        return np.asarray(expit(a) * np.exp(mean + deviation**2 / 2))

    def quantile(self, level: float) -> Floats:
        """(R,) quantile of a count or sum."""
        a, b, c = self.parameters.T
        some = expit(a)
        inside = np.clip((level - (1 - some)) / np.maximum(some, 1e-12), 0, 1 - 1e-9)
        if self.task.target.kind == "count":
            mean = np.exp(np.clip(b, *LOG_MEAN_RANGE))
            size = np.exp(np.clip(c, *LOG_SIZE_RANGE))
            positive = 1 + np.maximum(nbinom.ppf(inside, size, size / (size + mean)), 0)
        else:
            location, deviation = self._log_amount(b, c)
            positive = np.exp(location + deviation * ndtri(np.maximum(inside, 1e-9)))
        return np.where(level <= 1 - some, 0.0, positive)

    def _log_amount(self, b: Floats, c: Floats) -> tuple[Floats, Floats]:
        sigma = np.exp(np.clip(c, *LOG_SIGMA_RANGE))
        return self.scale.location + self.scale.scale * b, self.scale.scale * sigma

    def answers(self) -> list[dict[str, Any]]:
        """One JSON object a row, its shape by the target's kind."""
        target = self.task.target
        if target.kind == "occurs":
            return [{"kind": "occurs", "probability": p} for p in self.probability_any.tolist()]
        if isinstance(target, PeakPeriod):
            return self._period_answers(target)
        quantiles = {str(level): self.quantile(level).tolist() for level in QUANTILES}
        rows = zip(self.expected.tolist(), self.probability_any.tolist(), strict=True)
        return [
            {
                "kind": target.kind,
                "expected": expected,
                "probability_any": some,
                "quantiles": {level: values[row] for level, values in quantiles.items()},
            }
            for row, (expected, some) in enumerate(rows)
        ]

    def _period_answers(self, target: PeakPeriod) -> list[dict[str, Any]]:
        labels = PERIOD_LABELS[target.period]
        best = self.probabilities.argmax(axis=1)
        return [
            {
                "kind": "peak_period",
                "period": target.period,
                "best": int(labels[top]),
                "probabilities": dict(zip(labels, shares, strict=True)),
            }
            for top, shares in zip(best.tolist(), self.probabilities.tolist(), strict=True)
        ]


def of_task(
    layout: Layout, name: str, flat: NDArray[np.floating], scales: dict[str, Scale]
) -> Distribution:
    """One task's distribution out of the flat parameters (R, columns)."""
    task = layout.tasks[layout.position(name)]
    parameters = flat[:, layout.columns_of(name)].astype(np.float64)
    return Distribution(task, parameters, scales.get(name, Scale()))
