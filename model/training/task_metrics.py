"""The metrics of a task beside its NLL, by its kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Distribution, Group, Scale
from model.evaluation.metrics import (
    auroc,
    average_precision,
    calibration_error,
    circular_error,
    concordance,
    top_accuracy,
)
from model.tasks import Task

Floats = NDArray[np.float64]


def outcomes(task: Task, group: Group, labels: Tensor, scale: Scale) -> Floats:
    """(R,) what happened, in the units of the answers.

    0 or 1, a count, an amount of money, a number, days (infinite for what did not come), or the
    position of the class or of the best period.

    Args:
        task: one of the group.
        group: its likelihood.
        labels: the task's, see `negative_log_likelihood`.
        scale: the task's.
    """
    if group.likelihood == "periods":
        return np.asarray(labels[:, 0].nan_to_num(-1).argmax(dim=1).numpy(), dtype=np.float64)
    outcome: Floats = labels.numpy().astype(np.float64)
    match group.likelihood:
        case "hurdle_log_normal":
            return np.exp(scale.location + scale.scale * outcome)
        case "normal":
            return scale.location + scale.scale * outcome
        case "hazard":
            return outcome * task.horizon_days
        case _:
            return outcome


def observed_mean(distribution: Distribution, outcome: Floats, weights: Floats) -> float | None:
    """The mean outcome; of times how often it came; None where there is nothing to average."""
    kind = distribution.task.target.kind
    if kind == "peak_period" or distribution.classes:
        return None
    values = np.isfinite(outcome) if kind == "time_to" else outcome
    return float(np.average(values, weights=weights))


def task_metrics(distribution: Distribution, outcome: Floats, weights: Floats) -> dict[str, float]:
    """Metrics by name, those that are defined."""
    match distribution.task.target.kind:
        case "occurs":
            metrics = _occurs(distribution.probability_any, outcome > 0, weights)
        case "peak_period":
            metrics = _periods(distribution.probabilities, outcome.astype(np.int64))
        case "time_to":
            metrics = _times(distribution, outcome, weights)
        case "count" | "sum":
            metrics = _amounts(distribution, outcome, weights)
        case _ if distribution.classes:
            metrics = _classes(distribution.probabilities, outcome.astype(np.int64), weights)
        case _:
            metrics = _numbers(distribution, outcome, weights)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _occurs(probability: Floats, happened: NDArray[np.bool_], weights: Floats) -> dict[str, float]:
    return {
        "auroc": auroc(probability, happened, weights),
        "average_precision": average_precision(probability, happened, weights),
        "calibration_error": calibration_error(probability, happened, weights),
    }


def _amounts(distribution: Distribution, amount: Floats, weights: Floats) -> dict[str, float]:
    error = np.abs(distribution.quantile(0.5) - amount)
    return {
        "mean_absolute_error": float(np.average(error, weights=weights)),
        "auroc": auroc(distribution.probability_any, amount > 0, weights),
    }


def _numbers(distribution: Distribution, number: Floats, weights: Floats) -> dict[str, float]:
    error = distribution.expected - number
    return {
        "mean_absolute_error": float(np.average(np.abs(error), weights=weights)),
        "root_mean_squared_error": float(np.average(error**2, weights=weights) ** 0.5),
    }


def _times(distribution: Distribution, days: Floats, weights: Floats) -> dict[str, float]:
    """The median is cut off at the horizon; where the event did not come it cannot be judged."""
    came = np.isfinite(days)
    metrics = {
        "concordance": concordance(distribution.expected, days, weights),
        "auroc": auroc(distribution.probability_any, came, weights),
    }
    if came.any():
        horizon = float(distribution.task.horizon_days)
        median = np.nan_to_num(distribution.quantile(0.5)[came], nan=horizon)
        error = np.abs(median - days[came])
        metrics["mean_absolute_error"] = float(np.average(error, weights=weights[came]))
    return metrics


def _classes(probabilities: Floats, actual: NDArray[np.int64], weights: Floats) -> dict[str, float]:
    return {f"top{n}": top_accuracy(probabilities, actual, weights, n) for n in (1, 3)}


def _periods(probabilities: Floats, best: NDArray[np.int64]) -> dict[str, float]:
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return {
        "top1": float((order[:, 0] == best).mean()),
        "top3": float((order[:, :3] == best[:, None]).any(axis=1).mean()),
        "circular_error": circular_error(order[:, 0], best, probabilities.shape[1]),
    }
