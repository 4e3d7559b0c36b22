"""The test: every source of every task on held-out time, looked at once, for the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.distributions import Baselines, Distribution, Layout, Source, TaskServing
from model.evaluation import ReliabilityBin, Score, TaskReport
from model.evaluation.metrics import (
    auroc,
    average_precision,
    calibration_error,
    circular_error,
    reliability,
    skill,
    skill_interval,
)
from model.events import to_datetime
from model.tasks import Task
from model.training.examples import Examples
from model.training.scoring import Outputs
from model.training.selection import source_parameters, sources_of, task_nll

Floats = NDArray[np.float64]


def report_task(
    task: Task,
    layout: Layout,
    serving: TaskServing,
    examples: Examples,
    outputs: Outputs,
    baselines: Baselines,
    resamples: int,
    rng: np.random.Generator,
) -> TaskReport | None:
    """One task's report, None where the test rows have no label."""
    by_source: dict[Source, tuple[Distribution, Floats]] = {}
    for source in sources_of(task):
        parameters = source_parameters(
            source, task.name, layout, serving, examples, outputs, baselines
        )
        nll = task_nll(layout, task.name, parameters, examples.labels).numpy().astype(np.float64)
        distribution = Distribution(task, parameters.astype(np.float64), serving.scale)
        by_source[source] = (distribution, nll)
    known = np.flatnonzero(~np.isnan(by_source["climatology"][1]))
    if not len(known):
        return None
    weights = examples.weights.numpy().astype(np.float64)[known]
    outcome = _outcomes(task, layout, serving, examples)[known]
    base = by_source["climatology"][1][known]
    scores: dict[Source, Score] = {}
    for source, (distribution, nll) in by_source.items():
        some = Distribution(task, distribution.parameters[known], distribution.scale)
        low, high = skill_interval(nll[known], base, weights, resamples, rng)
        scores[source] = Score(
            nll=float(np.average(nll[known], weights=weights)),
            skill=skill(nll[known], base, weights),
            skill_low=low,
            skill_high=high,
            metrics=_metrics(some, outcome, weights),
        )
    served = by_source[serving.source][0]
    return TaskReport(
        task=task,
        served=serving.source,
        test_at=to_datetime(int(examples.inputs.cutoffs_us.max())),
        test_rows=len(known),
        observed_mean=None
        if task.target.kind == "peak_period"
        else float(np.average(outcome, weights=weights)),
        scores=scores,
        reliability=tuple(
            ReliabilityBin(**row)
            for row in reliability(served.probability_any[known], outcome > 0, weights)
        )
        if task.target.kind == "occurs"
        else (),
        note=_note(scores, serving.source),
    )


def _note(scores: dict[Source, Score], served: Source) -> str | None:
    """What a reader should know of a task that is not served better than its baselines."""
    rivals: Sequence[Source] = [source for source in scores if source != served]
    better = [source for source in rivals if scores[source].nll < scores[served].nll]
    if better:
        best = min(better, key=lambda source: scores[source].nll)
        return f"on the test rows {best} was better than what is served"
    if served != "model":
        return f"served by {served}: validation did not show that the model is better"
    return None


def _outcomes(task: Task, layout: Layout, serving: TaskServing, examples: Examples) -> Floats:
    """(R,) what happened: 0 or 1, a count, an amount of money, or the best period's position."""
    group = layout.group(task.name)
    labels = examples.labels[layout.groups.index(group)]
    of_task = labels[:, layout.position(task.name) - group.first_task]
    if group.likelihood == "periods":
        return np.asarray(of_task[:, 0].nan_to_num(-1).argmax(dim=1).numpy(), dtype=np.float64)
    outcome = of_task.numpy().astype(np.float64)
    if group.likelihood == "hurdle_log_normal":
        return np.exp(serving.scale.location + serving.scale.scale * outcome)
    return outcome


def _metrics(distribution: Distribution, outcome: Floats, weights: Floats) -> dict[str, float]:
    match distribution.task.target.kind:
        case "occurs":
            happened, probability = outcome > 0, distribution.probability_any
            metrics = {
                "auroc": auroc(probability, happened, weights),
                "average_precision": average_precision(probability, happened, weights),
                "calibration_error": calibration_error(probability, happened, weights),
            }
        case "peak_period":
            metrics = _period_metrics(distribution.probabilities, outcome.astype(np.int64))
        case _:
            metrics = _amount_metrics(distribution, outcome, weights)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _amount_metrics(
    distribution: Distribution, amount: Floats, weights: Floats
) -> dict[str, float]:
    error = np.abs(distribution.quantile(0.5) - amount)
    return {
        "mean_absolute_error": float(np.average(error, weights=weights)),
        "auroc": auroc(distribution.probability_any, amount > 0, weights),
    }


def _period_metrics(probabilities: Floats, best: NDArray[np.int64]) -> dict[str, float]:
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return {
        "top1": float((order[:, 0] == best).mean()),
        "top3": float((order[:, :3] == best[:, None]).any(axis=1).mean()),
        "circular_error": circular_error(order[:, 0], best, probabilities.shape[1]),
    }
