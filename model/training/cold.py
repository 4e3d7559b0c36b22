"""How well the tasks are answered for who had no event within the lookback before the test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model.config import Config
from model.distributions import TaskServing
from model.evaluation import ColdReport
from model.network import SSMTLNetwork
from model.snapshots import FoldPart, take_cold_snapshot
from model.tasks import EntityKind
from model.training.examples import make_examples
from model.training.preparation import Prepared, declared_tasks
from model.training.scoring import outputs_in_chunks
from model.training.testing import report_task


def cold_reports(
    network: SSMTLNetwork,
    prepared: Prepared,
    entity: EntityKind,
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
    examples = make_examples(
        snapshot,
        prepared.reader,
        layout,
        prepared.scales,
        prepared.forecasts,
        prepared.outlooks,
    )
    counts = np.ones((1, len(examples)), dtype=np.float32)  # no intervals are told of these rows
    found: dict[str, ColdReport] = {}
    for some, outputs, chunk in outputs_in_chunks(network, network.kind(entity), examples):
        own = baselines.of_tasks(layout, some.layout)
        for task in declared_tasks(some.layout):
            report = report_task(task, some.layout, serving[task.name], chunk, outputs, own, counts)
            if report is not None:
                found[task.name] = ColdReport(
                    rows=report.test_rows,
                    observed_mean=report.observed_mean,
                    nll={source: score.nll for source, score in report.scores.items()},
                )
    return found
