"""Is one model for all tasks better than the models that it replaces?

On the real log: SSMTL, LightGBM per task, the same network per task, a shared bottom, MMoE, PLE and
the baselines, on the same snapshots, scored on held-out time. On a simulated shop: how much of the
possible skill the model reaches. On outcomes that a known graph made: whether the reported one is
it. Skill is 1 - NLL / NLL(climatology).

    python -m benchmarks.quality [--data PARQUET] [--seeds N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.measuring import machine
from benchmarks.quality import known_graph, simulated


def main() -> None:
    """Print the tables and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="Online Retail II as Parquet; left out: no contest"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--users", type=int, default=1500, help="of the simulated shop")
    parser.add_argument("--items", type=int, default=200, help="of the simulated shop")
    parser.add_argument("--days", type=int, default=600, help="of the simulated shop")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    console = Console()
    figures = simulated.measure(given.users, given.items, given.days, given.seeds, console)
    figures |= known_graph.measure(given.seeds, console)
    if given.data is not None:
        # What it compares with is in the extra `bench`.
        from benchmarks.quality import few_labels, many_tasks, real, related

        figures |= real.measure(given.data, given.seeds, console)
        figures |= related.measure(given.data, given.seeds, console)
        figures |= few_labels.measure(given.data, given.seeds, console)
        figures |= many_tasks.measure(given.data, console)
    for name, value in figures.items():
        console.print(f"{name} = {value:.4f}")
    if given.json is not None:
        told = machine("torch", "lightgbm")
        given.json.write_text(json.dumps({"figures": figures, "machine": told}))


if __name__ == "__main__":
    main()
