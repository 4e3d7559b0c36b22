"""How long snapshots take, beside pandas, Polars and DuckDB on the same log; and online features.

A simulated shop's raw columns in a Parquet file; six cutoffs, all active users and items, each with
its aggregates, last events and labels. All engines give the same numbers, which is checked first on
a smaller log, value by value. Each run is a fresh process with two threads, after a small log to
warm up (so the service's kernels are compiled); reading the file is timed, importing is not.

    python -m benchmarks.snapshots [--events N] [--repeats N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks import snapshot_task as task
from benchmarks.measuring import Cost, in_fresh_process, machine
from benchmarks.snapshot_answers import mismatches, sums_differing

OURS = "ssmtl"
PEERS = ("pandas", "polars", "duckdb")
PACKAGES = ("numpy", "numba", "pyarrow", "pandas", "polars", "duckdb")
CUTOFFS = 6
MORE_CUTOFFS = 12
WARM_EVENTS = 20_000
CHECKED_EVENTS = 1_000_000


def main() -> None:
    """Print the table and write the figures."""
    given = _arguments()
    bench = Bench(given.folder, given.repeats)
    compared = bench.compared(given.events)
    online = bench.online(given.events)
    figures = {**compared["figures"], **online}
    rows = compared["rows"]
    if not given.without_imports:
        from benchmarks.imports import import_figures

        figures |= import_figures()
    told = machine(*PACKAGES)
    _print(rows, figures, told)
    if given.json is not None:
        given.json.write_text(json.dumps({"figures": figures, "rows": rows, "machine": told}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshots", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=1, help="alternating runs of each engine")
    parser.add_argument("--json", type=Path, default=None, help="where to write the figures")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ssmtl-benchmarks",
        help="where the simulated logs are kept from one run to the next",
    )
    parser.add_argument("--without-imports", action="store_true", help="leave the imports out")
    return parser.parse_args()


class Bench:
    """The runs on logs of some sizes.

    Args:
        folder: where the logs are kept.
        repeats: how often each engine runs.
    """

    def __init__(self, folder: Path, repeats: int) -> None:
        self._folder = folder
        self._repeats = repeats

    def log(self, events: int) -> Path:
        """The Parquet file, simulated if it is not there."""
        path = self._folder / f"shop-{events}.parquet"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".unfinished")
            task.write_log(unfinished, events)
            unfinished.rename(path)
        return path

    def compared(self, events: int) -> dict[str, Any]:
        """All engines, ours on a tenth of the log and with more cutoffs too."""
        differing = self._differing(min(events, CHECKED_EVENTS))
        runs: dict[str, list[Cost]] = {name: [] for name in (OURS, *PEERS, "tenth", "cutoffs")}
        for _ in range(self._repeats):
            for name in (OURS, *PEERS):
                runs[name].append(self._run(name, events))
            runs["tenth"].append(self._run(OURS, events // 10))
            runs["cutoffs"].append(self._run(OURS, events, MORE_CUTOFFS))
        raw = task.raw_bytes(pq.ParquetFile(self.log(events)).metadata.num_rows)
        figures = {**figures_of(runs, raw), "engine_mismatches": float(differing)}
        rows = [_row(name, events, CUTOFFS, runs[name]) for name in (OURS, *PEERS)]
        rows.append(_row(OURS, events // 10, CUTOFFS, runs["tenth"]))
        rows.append(_row(OURS, events, MORE_CUTOFFS, runs["cutoffs"]))
        return {"figures": figures, "rows": rows}

    def online(self, events: int) -> dict[str, float]:
        """One user at a time, as of now."""
        arguments = (self.log(events), "--warm", self.log(WARM_EVENTS))
        answer = in_fresh_process("benchmarks.snapshot_online", *arguments).answer
        return {
            "online_features_p50_ms": answer["p50_ms"],
            "online_features_p99_ms": answer["p99_ms"],
            "online_offline_mismatches": answer["mismatches"],
        }

    def _differing(self, events: int) -> int:
        with tempfile.TemporaryDirectory() as kept:
            for name in (OURS, *PEERS):
                self._run(name, events, keep=Path(kept) / name)
            found = {name: mismatches(Path(kept) / OURS, Path(kept) / name) for name in PEERS}
        for name, texts in found.items():
            for text in texts:
                print(f"{OURS} and {name}: {text}")
        return sum(map(len, found.values()))

    def _run(
        self, engine: str, events: int, cutoffs: int = CUTOFFS, keep: Path | None = None
    ) -> Cost:
        arguments: list[str | Path] = [engine, self.log(events), "--cutoffs", str(cutoffs)]
        arguments += ["--warm", self.log(WARM_EVENTS)]
        arguments += [] if keep is None else ["--keep", keep]
        return in_fresh_process("benchmarks.snapshot_peers", *arguments)


def figures_of(runs: Mapping[str, list[Cost]], raw_bytes: int) -> dict[str, float]:
    """Our medians over the others'.

    Args:
        runs: of each engine; `tenth` are ours on a tenth of the log, `cutoffs` with more cutoffs.
        raw_bytes: of the raw columns.
    """
    wall = {name: median(cost.wall_s for cost in costs) for name, costs in runs.items()}
    peak = {name: median(cost.peak_bytes for cost in costs) for name, costs in runs.items()}
    answers = {name: runs[name][0].answer for name in (OURS, *PEERS)}
    return {
        **{f"wall_over_{name}": wall[OURS] / wall[name] for name in PEERS},
        "time_growth_1m_to_10m": wall[OURS] / wall["tenth"],
        "memory_growth_1m_to_10m": peak[OURS] / peak["tenth"],
        "peak_memory_over_raw": peak[OURS] / raw_bytes,
        "peak_memory_over_raw_12_cutoffs": peak["cutoffs"] / raw_bytes,
        "sum_mismatches": float(
            sum(len(sums_differing(answers[OURS], answers[name])) for name in PEERS)
        ),
    }


def _row(engine: str, events: int, cutoffs: int, costs: list[Cost]) -> dict[str, Any]:
    answer = costs[0].answer
    return {
        "engine": engine,
        "events": events,
        "cutoffs": cutoffs,
        "rows": int(answer["user.rows"] + answer["item.rows"]),
        "wall_s": [cost.wall_s for cost in costs],
        "cpu_s": [cost.cpu_s for cost in costs],
        "peak_bytes": [cost.peak_bytes for cost in costs],
    }


def _print(rows: list[dict[str, Any]], figures: dict[str, float], told: dict[str, str]) -> None:
    aggregates = {entity: len(task.aggregate_names(entity)) for entity in task.ENTITIES}
    table = Table(
        title=f"Snapshots: {aggregates['user']} aggregates, the last {task.SEQUENCE_LENGTH} events "
        "and labels; medians"
    )
    for column in ("engine", "events", "cutoffs", "rows", "wall s", "CPU s", "peak GB"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["engine"],
            *(f"{row[name]:,}" for name in ("events", "cutoffs", "rows")),
            *(f"{median(row[name]):.2f}" for name in ("wall_s", "cpu_s")),
            f"{median(row['peak_bytes']) / 1e9:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in told.items()))
    for name, value in figures.items():
        console.print(f"{name} = {value:.4g}")


if __name__ == "__main__":
    main()
