"""What an import costs, beside pandas; whether every bad record is named; what memory it takes.

    python -m benchmarks.imports [--rows N] [--more-rows N] [--repeats N] [--json OUT]

Each run is a process of its own; the service and pandas take turns, on the same file. The service's
time runs from when the body has arrived until the import is committed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.import_files import Told, write_bad_events, write_events
from benchmarks.measuring import Cost, in_fresh_process, machine

ROWS, MORE_ROWS, BAD_ROWS = 5_000_000, 20_000_000, 1_000_000
BARS = {"import_over_pandas": 0.33, "import_peak_gb": 0.8, "bad_records_named": 500}


def main() -> None:
    """Print the figures and write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--more-rows", type=int, default=MORE_ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="where to write the figures")
    given = parser.parse_args()
    figures = import_figures(given.rows, given.more_rows, given.repeats)
    _print(figures)
    if given.json is not None:
        told = {"figures": figures, "machine": machine("pandas", "pyarrow", "numba")}
        given.json.write_text(json.dumps(told, indent=2))


def import_figures(
    rows: int = ROWS, more_rows: int = MORE_ROWS, repeats: int = 3
) -> dict[str, float]:
    """The bars' figures and what they are made of; files lie in a folder that is removed."""
    figures = {"bad_records_named": float(_bad_records_named())}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "events.csv"
        write_events(source, rows)
        costs: dict[str, list[Cost]] = {"ssmtl": [], "pandas": []}
        for _ in range(repeats):
            for engine, found in costs.items():
                found.append(_imported(engine, source))
        accepted = {engine: found[0].answer["accepted"] for engine, found in costs.items()}
        assert accepted["ssmtl"] == accepted["pandas"], accepted
        write_events(source, more_rows)
        larger = _imported("ssmtl", source)
    for engine, found in costs.items():
        figures[f"import_{engine}_s"] = median(cost.wall_s for cost in found)
        figures[f"import_{engine}_cpu_s"] = median(cost.cpu_s for cost in found)
    peaks = [max(cost.peak_bytes for cost in costs["ssmtl"]), larger.peak_bytes]
    return figures | {
        "import_over_pandas": figures["import_ssmtl_s"] / figures["import_pandas_s"],
        "import_peak_gb": max(peaks) / 1e9,
        "import_peak_growth": peaks[1] / peaks[0],
        "import_rows_per_s": rows / figures["import_ssmtl_s"],
        "import_more_rows_s": larger.wall_s,
    }


def _imported(engine: str, source: Path) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        return in_fresh_process(f"benchmarks.import_by_{engine}", source, folder)


def _bad_records_named() -> int:
    """How many bad records are named by their number, column and code, less what is said amiss."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "events.csv"
        expected = write_bad_events(source, BAD_ROWS)
        answer = in_fresh_process("benchmarks.import_by_ssmtl", source, folder).answer
        found = _told(Path(answer["rejections"]))
    return len(expected & found) - len(found - expected)


def _told(rejections: Path) -> set[Told]:
    with gzip.open(rejections, "rt") as file:
        rows = [json.loads(line) for line in file]
    return {(row["row"], row["column"], row["code"]) for row in rows}


def _print(figures: dict[str, float]) -> None:
    table = Table("figure", "value", "bar", title="Imports")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3f}", str(BARS.get(name, "")))
    Console().print(table)


if __name__ == "__main__":
    main()
