"""The test: every source of every task on held-out time, looked at once, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.distributions import Baselines, Distribution, Layout, Source, TaskServing
from model.evaluation import ReliabilityBin, Score, TaskReport
from model.evaluation.metrics import reliability, skill, skill_interval
from model.events import to_datetime
from model.tasks import Task
from model.training.examples import Examples
from model.training.scoring import Outputs
from model.training.selection import source_parameters, sources_of, task_nll
from model.training.task_metrics import observed_mean, outcomes, task_metrics

Floats = NDArray[np.float64]


def report_task(
    task: Task,
    layout: Layout,
    serving: TaskServing,
    examples: Examples,
    outputs: Outputs,
    baselines: Baselines,
    counts: NDArray[np.float32],
    *,
    has_time: bool = True,
) -> TaskReport | None:
    """One task's report, None where the test rows have no label.

    `counts` say how often each row is in each resample, see `resampled`.
    """
    by_source: dict[Source, tuple[Distribution, Floats]] = {}
    for source in sources_of(task):
        parameters = source_parameters(
            source, task.name, layout, serving, examples, outputs, baselines
        )
        nll = task_nll(layout, task.name, parameters, examples.labels).numpy().astype(np.float64)
        distribution = Distribution(
            task, parameters.astype(np.float64), serving.scale, serving.classes
        )
        by_source[source] = (distribution, nll)
    known = np.flatnonzero(~np.isnan(by_source["climatology"][1]))
    if not len(known):
        return None
    counts = counts if len(known) == len(examples) else counts[:, known]
    weights = examples.weights.numpy().astype(np.float64)[known]
    outcome = _outcomes(task, layout, serving, examples)[known]
    served = by_source[serving.source][0]
    base = by_source["climatology"][1][known]
    scores: dict[Source, Score] = {}
    for source, (distribution, nll) in by_source.items():
        some = replace(distribution, parameters=distribution.parameters[known])
        low, high = skill_interval(nll[known], base, weights, counts)
        scores[source] = Score(
            nll=float(np.average(nll[known], weights=weights)),
            skill=skill(nll[known], base, weights),
            skill_low=low,
            skill_high=high,
            metrics=task_metrics(some, outcome, weights),
        )
    return TaskReport(
        task=task,
        served=serving.source,
        test_at=to_datetime(int(examples.inputs.cutoffs_us.max())) if has_time else None,
        test_rows=len(known),
        observed_mean=observed_mean(served, outcome, weights),
        scores=scores,
        reliability=tuple(
            ReliabilityBin(**row)
            for row in reliability(served.probability_any[known], outcome > 0, weights)
        )
        if task.target.kind == "occurs"
        else (),
        sharing_gain=scores["model"].skill - scores["private_head"].skill,
        note=_note(scores, serving.source),
    )


def _note(scores: dict[Source, Score], served: Source) -> str | None:
    """What a reader should know of a task that is not served better than its baselines."""
    rivals: Sequence[Source] = [source for source in scores if source != served]
    better = [source for source in rivals if scores[source].nll < scores[served].nll]
    if better:
        best = min(better, key=lambda source: scores[source].nll)
        return f"on the test rows {best} was better than what is served"
    if served == "private_head":
        return "served by its private_head: sharing hurt this task on validation rows"
    if served != "model":
        return f"served by {served}: validation did not show that the model is better"
    return None


def _outcomes(task: Task, layout: Layout, serving: TaskServing, examples: Examples) -> Floats:
    group = layout.group(task.name)
    labels = examples.labels[layout.groups.index(group)]
    return outcomes(
        task, group, labels[:, layout.position(task.name) - group.first_task], serving.scale
    )
