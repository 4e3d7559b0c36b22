"""Is one model for all tasks better than the models that it replaces?

On the real log: SSMTL, LightGBM per task, the same network per task, a shared bottom, MMoE, PLE and
the baselines, on the same snapshots, scored on held-out time; and what users get, the model as it
is served after the last fit. On a simulated shop: how much of the possible skill the model reaches.
On outcomes that a known graph made: whether the reported one is it. Skill is
1 - NLL / NLL(climatology).

    python -m benchmarks.quality [--data PARQUET] [--parts PART ...] [--seeds N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.measuring import machine
from benchmarks.quality import (
    as_served,
    boosting,
    few_labels,
    known_graph,
    many_tasks,
    real,
    related,
    simulated,
)

OF_THE_REAL_LOG = ("contest", "as_served", "related", "few_labels", "many_tasks")
PARTS = (*OF_THE_REAL_LOG, "known_graph", "simulated")


def main() -> None:
    """Print the tables and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="Online Retail II as Parquet; left out: no contest"
    )
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, help="all that can be measured by default"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, default=1, help="of everybody; times are CPU seconds"
    )
    parser.add_argument("--users", type=int, default=1500, help="of the simulated shop")
    parser.add_argument("--items", type=int, default=200, help="of the simulated shop")
    parser.add_argument("--days", type=int, default=600, help="of the simulated shop")
    parser.add_argument("--json", type=Path, help="where to write the figures, part by part")
    given = parser.parse_args()
    of_data = given.data is not None
    given.parts = given.parts or [p for p in PARTS if of_data or p not in OF_THE_REAL_LOG]
    if not of_data and (wanting := set(given.parts) & set(OF_THE_REAL_LOG)):
        parser.error(f"{', '.join(sorted(wanting))}: give the real log by --data")
    torch.set_num_threads(given.threads)
    console = Console()
    figures: dict[str, float] = {}
    for measure in _parts(given, console):
        figures |= measure()
        if given.json is not None:
            told = machine("torch", "lightgbm")
            given.json.write_text(json.dumps({"figures": figures, "machine": told}))
    for name, value in figures.items():
        console.print(f"{name} = {value:.4f}")


def _parts(given: argparse.Namespace, console: Console) -> Iterator[Callable[[], dict[str, float]]]:
    seeds, shop = given.seeds, (given.users, given.items, given.days)
    boosting.use_threads(given.threads)
    measures: dict[str, Callable[[], dict[str, float]]] = {
        "contest": partial(real.measure, given.data, seeds, console),
        "as_served": partial(as_served.measure, given.data, seeds, console),
        "related": partial(related.measure, given.data, seeds, console),
        "few_labels": partial(few_labels.measure, given.data, seeds, console),
        "many_tasks": partial(many_tasks.measure, given.data, console),
        "known_graph": partial(known_graph.measure, seeds, console),
        "simulated": partial(simulated.measure, *shop, seeds, console),
    }
    yield from (measures[part] for part in PARTS if part in given.parts)


if __name__ == "__main__":
    main()
