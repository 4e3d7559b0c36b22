"""One user's features as of now, asked for one user at a time, beside the same users' snapshot.

python -m benchmarks.snapshot_online LOG --warm SMALL_LOG --cost OUT
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import snapshot_task as task
from benchmarks.measuring import measured, write_cost
from benchmarks.snapshot_peers.ssmtl_engine import read_log
from model.config import Config
from model.snapshots import SnapshotPlan, SnapshotReader

USERS = 1000
WARM_USERS = 200
_SECOND_US = 1_000_000
Arrays = Mapping[str, npt.NDArray[np.generic]]


def main() -> None:
    """Write the latencies and the mismatches."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshot_online")
    parser.add_argument("log", type=Path)
    parser.add_argument("--warm", type=Path, required=True, help="a small log, done first")
    parser.add_argument("--cost", type=Path, required=True, help="where to write the cost")
    given = parser.parse_args()
    online(given.warm, users=20)
    write_cost(measured(lambda: online(given.log, USERS)), given.cost)


def online(path: Path, users: int) -> dict[str, float]:
    """The latency of single users in milliseconds, and how many values differ from the snapshot.

    A user's features are all numeric features, its categories and its last events: what the network
    is fed with.
    """
    log = read_log(path)
    now_us = log.last_us + _SECOND_US
    config = Config(sequence_length=task.SEQUENCE_LENGTH)
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, task.TASKS, config, now_us))
    known = reader.active("user", now_us, lookback_days=36_500)
    chosen = np.random.default_rng(0).choice(known, size=min(users, len(known)), replace=False)
    whole = reader.arrays(reader.user_inputs(chosen, now_us))
    for user in chosen[:WARM_USERS]:
        reader.arrays(reader.user_inputs(np.array([user]), now_us))
    taken_s, singles = [], []
    for user in chosen:
        started = time.perf_counter()
        single = reader.arrays(reader.user_inputs(np.array([user]), now_us))
        taken_s.append(time.perf_counter() - started)
        singles.append(single)
    return {
        "p50_ms": float(np.percentile(taken_s, 50) * 1000),
        "p99_ms": float(np.percentile(taken_s, 99) * 1000),
        "mismatches": float(
            sum(_differing(whole, row, single) for row, single in enumerate(singles))
        ),
        "users": float(len(chosen)),
        "columns": float(whole["numbers"].shape[1]),
    }


def _differing(whole: Arrays, row: int, single: Arrays) -> int:
    """How many values of a user are not the same bit for bit."""
    return sum(int((_bits(whole[name][row]) != _bits(single[name][0])).sum()) for name in whole)


def _bits(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    plain = np.atleast_1d(np.ascontiguousarray(values))
    return plain.view(f"u{plain.dtype.itemsize}")


if __name__ == "__main__":
    main()
