from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.measuring import Cost, in_fresh_process, machine, measured
from benchmarks.snapshots import OURS, PEERS, figures_of
from tests.benchmarks.made_shop import write_raw_log


def cost(wall_s: float, peak_bytes: int, rows: float = 5.0) -> Cost:
    return Cost(wall_s, wall_s, peak_bytes, {"user.rows": rows})


def test_figures_are_medians_of_ours_over_the_others() -> None:
    runs = {name: [cost(30.0, 900), cost(40.0, 900), cost(90.0, 900)] for name in PEERS}
    runs |= {
        OURS: [cost(9.0, 300), cost(2.0, 300), cost(4.0, 300)],
        "tenth": [cost(0.5, 100)],
        "cutoffs": [cost(5.0, 320)],
    }
    assert figures_of(runs, raw_bytes=100) == {
        "wall_over_pandas": 0.1,
        "wall_over_polars": 0.1,
        "wall_over_duckdb": 0.1,
        "time_growth_1m_to_10m": 8.0,
        "memory_growth_1m_to_10m": 3.0,
        "peak_memory_over_raw": 3.0,
        "peak_memory_over_raw_12_cutoffs": 3.2,
        "sum_mismatches": 0.0,
    }


def test_an_engine_that_answers_otherwise_is_counted() -> None:
    runs = {name: [cost(1.0, 1)] for name in (OURS, *PEERS, "tenth", "cutoffs")}
    runs["duckdb"] = [cost(1.0, 1, rows=6.0)]
    assert figures_of(runs, raw_bytes=1)["sum_mismatches"] == 1


def test_measures_the_work_and_what_it_answers() -> None:
    found = measured(lambda: [0.0] * 1000)
    assert found.answer == [0.0] * 1000
    assert found.wall_s > 0
    assert found.peak_bytes > 1_000_000


def test_an_engine_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    write_raw_log(tmp_path / "shop.parquet", events=500)
    arguments = [tmp_path / "shop.parquet", "--warm", tmp_path / "shop.parquet", "--cutoffs", "2"]
    found = in_fresh_process("benchmarks.snapshot_peers", "pandas", *arguments)
    assert found.answer["user.rows"] > 0
    assert found.cpu_s > 0


def test_a_run_that_fails_is_not_passed_over(tmp_path: Path) -> None:
    import subprocess

    missing = tmp_path / "none.parquet"
    with pytest.raises(subprocess.CalledProcessError):
        in_fresh_process("benchmarks.snapshot_peers", "pandas", missing, "--warm", missing)


def test_says_what_it_ran_with() -> None:
    told = machine("numpy", "no-such-package")
    assert told["no-such-package"] == "not installed"
    assert told["python"] == sys.version.split()[0]
    assert int(told["cores"]) >= 1
