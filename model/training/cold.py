"""How well the tasks are answered for who had no event within the lookback before the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from model.config import Config
from model.distributions import TaskServing
from model.evaluation import ColdReport
from model.network import SSMTLNetwork
from model.snapshots import FoldPart, take_cold_snapshot
from model.tasks import EntityKind, Task
from model.training.examples import make_examples
from model.training.preparation import Prepared
from model.training.scoring import outputs_of
from model.training.testing import report_task

_RESAMPLES = 1  # intervals of the skill are not told of these rows


def cold_reports(
    network: SSMTLNetwork,
    prepared: Prepared,
    entity: EntityKind,
    tasks: Sequence[Task],
    serving: Mapping[str, TaskServing],
    part: FoldPart,
    config: Config,
) -> dict[str, ColdReport]:
    """Each task's report on the cold rows of a part; tasks without labels there have none."""
    rng = np.random.default_rng(0)  # its own, so that the other rows are drawn as without these
    layout, baselines = prepared.layouts[entity], prepared.baselines[entity]
    snapshot = take_cold_snapshot(prepared.reader, entity, layout.tasks, part, config, rng)
    if snapshot is None:
        return {}
    examples = make_examples(snapshot, prepared.reader, layout, prepared.scales, prepared.seasonal)
    outputs = outputs_of(network, network.kind(entity), examples)
    found: dict[str, ColdReport] = {}
    for task in tasks:
        how = serving[task.name]
        report = report_task(task, layout, how, examples, outputs, baselines, _RESAMPLES, rng)
        if report is not None:
            found[task.name] = ColdReport(
                rows=report.test_rows,
                observed_mean=report.observed_mean,
                nll={source: score.nll for source, score in report.scores.items()},
            )
    return found
