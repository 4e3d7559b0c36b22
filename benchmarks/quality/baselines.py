"""The competitors that learn nothing: the same for everybody, and the best informed baseline."""

from __future__ import annotations

from benchmarks.quality.contest import Ground, Nats
from model.distributions import baseline_parameters
from model.training.selection import baselines_of, task_nll


def climatology(ground: Ground) -> Nats:
    """The same answer for everybody."""
    return _nats(ground, 0)


def best_informed_baseline(ground: Ground, seed: int) -> Nats:  # noqa: ARG001 (not random)
    """Recency-frequency, of periods the seasonal naive forecast."""
    return _nats(ground, -1)


def _nats(ground: Ground, which: int) -> Nats:
    nats: Nats = {}
    for entity, task in ground.tasks():
        layout, test = ground.prepared.layouts[entity], ground.test[entity]
        columns = layout.columns_of(task.name)
        parameters = baseline_parameters(
            baselines_of(task)[which],
            layout.position(task.name),
            columns,
            test.naive.get(task.name),
            ground.prepared.baselines[entity],
            test.inputs.numbers,
        )
        nats[task.name] = task_nll(layout, task.name, parameters, test.labels).double().numpy()
    return nats
