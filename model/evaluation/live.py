"""What was predicted beside what then happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from model.distributions import Distribution, Group
from model.evaluation.learned_units import in_learned_units
from model.evaluation.likelihoods import negative_log_likelihood
from model.evaluation.metrics import (
    calibration_error,
    reliability,
    resampled,
    skill,
    skill_interval,
)
from model.evaluation.report import ReliabilityBin
from model.snapshots import Label, PeriodLabels

Floats = NDArray[np.float64]
RESAMPLES = 200


class LiveScore(BaseModel):
    """How good predictions turned out to be, on rows whose windows have passed."""

    model_config = ConfigDict(frozen=True)

    rows: int
    nll: float = Field(description="mean negative log-likelihood in nats")
    climatology_nll: float = Field(description="of the climatology on the same rows")
    skill: float = Field(description="1 - nll / nll of the climatology")
    skill_low: float = Field(description="5% bound of the skill, bootstrap over rows")
    skill_high: float = Field(description="95% bound of the skill, bootstrap over rows")
    predicted_mean: float | None = Field(
        description="mean prediction of whether it happens at all; none for classes and periods"
    )
    observed_mean: float | None = Field(description="how often it did")
    calibration_error: float | None = Field(default=None, description="of tasks of kind `occurs`")
    reliability: tuple[ReliabilityBin, ...] = ()


@dataclass(frozen=True)
class Outturn:
    """R predictions of one task whose outcomes are known.

    Attributes:
        nll: (R,) nats of what happened.
        climatology_nll: (R,) of the climatology.
        probability: (R,) that anything happens; empty for classes, numbers and periods.
        happened: (R,) whether it did; empty as well.
    """

    nll: Floats
    climatology_nll: Floats
    probability: Floats
    happened: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.nll)

    @classmethod
    def of(
        cls,
        distribution: Distribution,
        group: Group,
        climatology_P: NDArray[np.float32],
        label: Label,
    ) -> Outturn:
        """Those of the rows that have a label.

        Args:
            distribution: of all rows.
            group: of the task.
            climatology_P: the climatology's parameters of the task.
            label: of all rows.
        """
        task = distribution.task
        values = (
            np.stack([label.amounts, label.exposure], axis=1)
            if isinstance(label, PeriodLabels)
            else label
        )
        known = ~np.isnan(values[:, 0].sum(axis=1) if values.ndim == 3 else values)
        learned = in_learned_units(task, group.likelihood, values[known], distribution.scale)
        parameters = distribution.parameters[known]
        usual = np.broadcast_to(climatology_P.astype(np.float64), parameters.shape)
        is_event = group.likelihood in {"bernoulli", "hazard"} or group.likelihood.startswith(
            "hurdle"
        )
        probability = distribution.probability_any[known] if is_event else np.zeros(0)
        happened = (
            (np.isfinite(values[known]) if group.likelihood == "hazard" else values[known] > 0)
            if is_event
            else np.zeros(0, dtype=bool)
        )
        return cls(
            negative_log_likelihood(group.likelihood, parameters, learned),
            negative_log_likelihood(group.likelihood, usual, learned),
            probability,
            happened,
        )

    @classmethod
    def together(cls, parts: list[Outturn]) -> Outturn:
        """All rows of several."""
        return cls(
            np.concatenate([part.nll for part in parts]),
            np.concatenate([part.climatology_nll for part in parts]),
            np.concatenate([part.probability for part in parts]),
            np.concatenate([part.happened for part in parts]),
        )

    def score(self, kind: str) -> LiveScore | None:
        """How good they were; None without rows.

        Args:
            kind: of the task's target.
        """
        if not len(self):
            return None
        weights = np.ones(len(self))
        counts = resampled(len(self), RESAMPLES, np.random.default_rng(0))
        low, high = skill_interval(self.nll, self.climatology_nll, weights, counts)
        told = len(self.probability) > 0
        binned = kind == "occurs"
        return LiveScore(
            rows=len(self),
            nll=float(self.nll.mean()),
            climatology_nll=float(self.climatology_nll.mean()),
            skill=skill(self.nll, self.climatology_nll, weights),
            skill_low=low,
            skill_high=high,
            predicted_mean=float(self.probability.mean()) if told else None,
            observed_mean=float(self.happened.mean()) if told else None,
            calibration_error=(
                calibration_error(self.probability, self.happened, weights) if binned else None
            ),
            reliability=tuple(
                ReliabilityBin(**row)
                for row in reliability(self.probability, self.happened, weights)
            )
            if binned
            else (),
        )
