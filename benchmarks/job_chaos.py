"""Jobs that survive: kills, wake-ups, cancels, crowds, full disks, a database that goes away.

Real `ssmtl worker` and `ssmtl serve` processes on a real database, small trainings over HTTP. Every
process that is killed or stopped is one that was started here. For Linux. Ends with status 1 if a
figure misses its bar.

    python -m benchmarks.job_chaos --database sqlite|postgresql [--workers 3] [--jobs 24]
        [--kills 10] [--submissions 200] [--seed 0] [--only SCENARIO ...] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.chaos import shop
from benchmarks.chaos.bars import Bar, bars, missed
from benchmarks.chaos.databases import KINDS
from benchmarks.chaos.ground import Ground, ground
from benchmarks.chaos.scenarios import Figures
from benchmarks.chaos.scenarios.cancelling import measure_cancel
from benchmarks.chaos.scenarios.crowd import submit_at_once
from benchmarks.chaos.scenarios.embedded import kill_the_service, measure_latency
from benchmarks.chaos.scenarios.full_disk import fill_the_disk
from benchmarks.chaos.scenarios.killing import kill_at_random
from benchmarks.chaos.scenarios.outage import take_database_away
from benchmarks.chaos.scenarios.silence import wake_too_late
from benchmarks.chaos.scenarios.takeover import measure_takeovers
from benchmarks.measuring import machine

DATASETS = [f"shop-{number}" for number in range(8)]
Scenario = Callable[[], Figures]


def main() -> None:
    """Print the figures and write them."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and nobody is left behind
    console = Console()
    with KINDS[given.database]() as database, ground(database) as place:
        figures = _run(place, given, console)
    wanted = bars(jobs=given.jobs, kills=given.kills, submissions=given.submissions)
    wanted = {name: bar for name, bar in wanted.items() if name in figures}
    short = missed(figures, wanted)
    _print(console, given.database, figures, wanted)
    if given.json is not None:
        told = {
            "figures": figures,
            "bars": {name: str(bar) for name, bar in wanted.items()},
            "missed": short,
            "machine": machine("torch", "sqlalchemy"),
            **vars(given),
        }
        given.json.write_text(json.dumps(told, default=str, indent=1))
    sys.exit(f"short of the bar: {', '.join(short)}" if short else 0)


def _run(place: Ground, given: argparse.Namespace, console: Console) -> Figures:
    figures: Figures = {}
    begun = time.monotonic()
    for name, scenario in _chosen(_scenarios(place, given), given.only).items():
        started = time.monotonic()
        found = scenario()
        console.print(f"{name}: {time.monotonic() - started:.0f} s, {found}")
        sys.stdout.flush()
        figures |= found
    place.end()
    figures["orphan_processes"] = len(place.left_over())
    figures["wall_s"] = round(time.monotonic() - begun)
    return figures


def _chosen(scenarios: dict[str, Scenario], only: list[str] | None) -> dict[str, Scenario]:
    unknown = set(only or ()) - scenarios.keys()
    if unknown:
        raise SystemExit(f"no scenario {', '.join(unknown)}; there are {', '.join(scenarios)}")
    return {name: one for name, one in scenarios.items() if only is None or name in only}


def _scenarios(place: Ground, given: argparse.Namespace) -> dict[str, Scenario]:
    _, client = place.start_api()
    shop.add_datasets(client, DATASETS)
    several = {"workers": given.workers}
    found: dict[str, Scenario] = {
        "kills": lambda: kill_at_random(
            place, client, DATASETS, **several, jobs=given.jobs, kills=given.kills, seed=given.seed
        ),
        "wake-ups": lambda: wake_too_late(place, client, DATASETS[0]),
        "takeovers": lambda: measure_takeovers(place, client, DATASETS[0]),
        "cancels": lambda: measure_cancel(place, client, DATASETS[0]),
        "crowd": lambda: submit_at_once(
            place, client, DATASETS, **several, submissions=given.submissions
        ),
        "latency": lambda: measure_latency(place, DATASETS[0]),
        "full disk": lambda: fill_the_disk(place, client, DATASETS[0]),
        "killed service": lambda: kill_the_service(place, DATASETS[0]),
    }
    if place.database.server is not None:
        found["outage"] = lambda: take_database_away(place, client, DATASETS, **several)
    return found


def _print(console: Console, database: str, figures: Figures, wanted: Mapping[str, Bar]) -> None:
    table = Table(title=f"Jobs that survive, on {database}", title_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("bar", justify="right")
    table.add_column("")
    for name, value in figures.items():
        bar = wanted.get(name)
        verdict = "" if bar is None else "met" if bar.holds(value) else "missed"
        table.add_row(name, f"{value:g}", str(bar or ""), verdict)
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
