"""In a process of its own: features and forward called directly, and the engine beside torch.

python -m benchmarks.serving.forward (batch | engine) ARTIFACT INDEX --cost OUT
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.domain.predictions import CHUNK_ROWS
from benchmarks.measuring import measured, write_cost
from benchmarks.serving.shop import BATCH_ROWS
from model.distributions import Layout
from model.events import EventLog, to_microseconds
from model.prediction import Predictor
from model.prediction.predictor import chunks
from model.snapshots import ReadRows, Rows
from model.tasks import EntityKind

_ROUNDS = 7
_ENGINE_ROUNDS = 9
_CALLS = 300
_WARM_CALLS = 50
_COMPARED_ROWS = 2_000
KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.forward")
    parser.add_argument("what", choices=["batch", "engine"])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--cost", type=Path, required=True, help="where to write the cost")
    given = parser.parse_args()
    work = Forward(Predictor.load(given.artifact), EventLog.open(given.index))
    write_cost(measured(work.rows_per_s if given.what == "batch" else work.engine), given.cost)


class Forward:
    """A model and a log in this process; one thread computes."""

    def __init__(self, predictor: Predictor, log: EventLog) -> None:
        self._predictor = predictor
        self._log = log
        self._now_us = to_microseconds(datetime.now(UTC))

    def rows_per_s(self) -> dict[str, float]:
        """Users a second in batches, features and forward."""
        rng = np.random.default_rng(1)
        size = min(BATCH_ROWS, len(self._log.users))
        users = rng.permutation(len(self._log.users))[:size]
        self._score(users)
        rates = []
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            self._score(users)
            rates.append(size / (time.perf_counter() - begun))
        return {"forward_rows_per_s": median(rates)}

    def _score(self, users: Longs) -> None:
        """In the order of the log and in small chunks: nothing is sooner done."""
        scorer, users = self._predictor.scorer("user"), np.sort(users)
        for part in chunks(len(users), CHUNK_ROWS):
            scorer.score(self._read("user", (users[part], users[part])), self._log)

    def _read(self, kind: EntityKind, codes: tuple[Longs, Longs]) -> ReadRows:
        users = None if kind == "item" else codes[0]
        items = None if kind == "user" else codes[1]
        rows = Rows.of(kind, users, items, self._now_us)
        return self._predictor.reader(self._log).read(rows)

    def _some(self, size: int) -> tuple[Longs, Longs]:
        """Codes of some users, and of some items."""
        rng = np.random.default_rng(2)
        users, items = len(self._log.users), len(self._log.items)
        return rng.integers(0, users, size), rng.integers(0, items, size)

    def engine(self) -> dict[str, float]:
        """The chosen engine's time of one row beside eager torch's, and how far they are apart."""
        import torch

        torch.set_num_threads(1)
        from benchmarks.serving.eager import eager_forward

        eager = eager_forward(self._predictor.artifact, "user")
        taken_s: dict[str, list[float]] = {"engine": [], "eager": []}
        one = self._read("user", self._some(1))
        for _ in range(_ENGINE_ROUNDS):
            taken_s["engine"].append(_call_s(lambda: self._engine_once(one)))
            taken_s["eager"].append(_call_s(lambda: eager(one.arrays)))
        errors = [self._error(kind) for kind in KINDS]
        engine_s, eager_s = (median(taken_s[name]) for name in ("engine", "eager"))
        return {
            "forward_over_eager_b1": eager_s / engine_s,
            "forward_b1_us": engine_s * 1e6,
            "eager_b1_us": eager_s * 1e6,
            "max_abs_error": max(errors),
        }

    def _engine_once(self, one: ReadRows) -> None:
        self._predictor.scorer("user").network(one, self._log)

    def _error(self, kind: EntityKind) -> float:
        """The largest difference of a probability from what eager torch in fp32 says.

        Of what the network says: served are baselines where so little was learned.
        """
        from benchmarks.serving.eager import eager_forward

        scorer, read = self._predictor.scorer(kind), self._read(kind, self._some(_COMPARED_ROWS))
        eager = eager_forward(self._predictor.artifact, kind)(read.arrays)
        found = scorer.network(read, self._log)
        expected = eager + scorer.offsets(read, self._log)
        return max(
            float(np.abs(self._point(kind, name, found) - self._point(kind, name, expected)).max())
            for name in _asking_for_probabilities(scorer.layout)
        )

    def _point(self, kind: EntityKind, task: str, flat: Floats) -> np.ndarray:
        return self._predictor.scorer(kind).distribution(task, flat).point


def _asking_for_probabilities(layout: Layout) -> list[str]:
    """Tasks whose point is a probability."""
    kinds = ("occurs", "time_to", "next")
    return [task.name for task in layout.tasks if task.target.kind in kinds]


def _call_s(call: Callable[[], object]) -> float:
    for _ in range(_WARM_CALLS):
        call()
    begun = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - begun) / _CALLS


if __name__ == "__main__":
    main()
