"""One engine on one log, in this process: its cost, with the sums of its columns as the answer.

python -m benchmarks.snapshot_peers ENGINE LOG --warm SMALL_LOG --cost OUT [--keep FOLDER]
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.measuring import measured, write_cost
from benchmarks.snapshot_answers import folded, keep


def main() -> None:
    """Warm up, then do the task: fold the answers, or keep them all the same way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshot_peers")
    parser.add_argument("engine", choices=("ssmtl", "pandas", "polars", "duckdb"))
    parser.add_argument("log", type=Path)
    parser.add_argument("--cutoffs", type=int, default=6)
    parser.add_argument("--warm", type=Path, required=True, help="a small log, done first")
    parser.add_argument("--cost", type=Path, required=True, help="where to write the cost")
    parser.add_argument("--keep", type=Path, default=None, help="where to write the answers")
    given = parser.parse_args()
    engine = import_module(f"benchmarks.snapshot_peers.{given.engine}_engine")
    folded(engine.snapshots(given.warm, given.cutoffs))

    def work() -> dict[str, float]:
        parts = engine.snapshots(given.log, given.cutoffs)
        return folded(parts) if given.keep is None else keep(parts, given.keep)

    write_cost(measured(work), given.cost)


if __name__ == "__main__":
    main()
