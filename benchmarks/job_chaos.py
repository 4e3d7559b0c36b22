"""Jobs that survive: kills, wake-ups, cancels, crowds, and a database that goes away.

Real `ssmtl worker` and `ssmtl serve` processes on a real database, small trainings over HTTP. Every
process that is killed or stopped is one that was started here.

    python -m benchmarks.job_chaos --database sqlite|postgresql [--workers 3] [--jobs 24]
        [--kills 10] [--submissions 200] [--seed 0] [--only SCENARIO ...] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.chaos import shop
from benchmarks.chaos.databases import KINDS
from benchmarks.chaos.ground import Ground, ground
from benchmarks.chaos.scenarios import Figures
from benchmarks.chaos.scenarios.cancelling import measure_cancel
from benchmarks.chaos.scenarios.crowd import submit_at_once
from benchmarks.chaos.scenarios.embedded import kill_the_service, measure_latency
from benchmarks.chaos.scenarios.killing import kill_at_random
from benchmarks.chaos.scenarios.outage import take_database_away
from benchmarks.chaos.scenarios.silence import measure_takeover, wake_too_late
from benchmarks.measuring import machine

DATASETS = [f"shop-{number}" for number in range(8)]


def main() -> None:
    """Print the figures and write them."""
    given = _arguments()
    console = Console()
    with KINDS[given.database]() as database, ground(database) as place:
        figures = _run(place, given, console)
    _print(console, given.database, figures)
    if given.json is not None:
        told = {"figures": figures, "machine": machine("torch", "sqlalchemy"), **vars(given)}
        given.json.write_text(json.dumps(told, default=str, indent=1))


def _run(place: Ground, given: argparse.Namespace, console: Console) -> Figures:
    figures: Figures = {}
    scenarios = _scenarios(place, given)
    unknown = set(given.only or ()) - scenarios.keys()
    if unknown:
        raise SystemExit(f"no scenario {', '.join(unknown)}; there are {', '.join(scenarios)}")
    for name, scenario in scenarios.items():
        if given.only and name not in given.only:
            continue
        begun = time.monotonic()
        found = scenario()
        console.print(f"{name}: {time.monotonic() - begun:.0f} s, {found}")
        figures |= found
    place.end()
    figures["orphan_processes"] = len(place.left_over())
    return figures


def _scenarios(place: Ground, given: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    _, client = place.start_api()
    shop.add_datasets(client, DATASETS)
    several = {"workers": given.workers}
    found: dict[str, Callable[[], Figures]] = {
        "kills": lambda: kill_at_random(
            place, client, DATASETS, **several, jobs=given.jobs, kills=given.kills, seed=given.seed
        ),
        "wake-ups": lambda: wake_too_late(place, client, DATASETS[0]),
        "takeovers": lambda: measure_takeover(place, client, DATASETS[0]),
        "cancels": lambda: measure_cancel(place, client, DATASETS[0]),
        "crowd": lambda: submit_at_once(
            place, client, DATASETS, **several, submissions=given.submissions
        ),
        "latency": lambda: measure_latency(place, DATASETS[0]),
        "killed service": lambda: kill_the_service(place, DATASETS[0]),
    }
    if place.database.server is not None:
        found["outage"] = lambda: take_database_away(place, client, DATASETS, **several)
    return found


def _print(console: Console, database: str, figures: Figures) -> None:
    table = Table(title=f"Jobs that survive, on {database}", title_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:g}")
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", choices=sorted(KINDS), required=True)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="these scenarios alone")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
