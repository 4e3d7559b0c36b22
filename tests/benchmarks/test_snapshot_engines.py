from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import snapshot_task as task
from benchmarks.snapshot_answers import folded, keep, mismatches, sums_differing
from benchmarks.snapshot_online import online
from benchmarks.snapshot_peers import pandas_engine, ssmtl_engine
from tests.benchmarks.made_shop import write_raw_log

CUTOFFS = 3


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "events.parquet"
    write_raw_log(path)
    return path


def test_the_service_and_pandas_give_the_same_numbers(log: Path, tmp_path: Path) -> None:
    keep(ssmtl_engine.snapshots(log, CUTOFFS), tmp_path / "ssmtl")
    keep(pandas_engine.snapshots(log, CUTOFFS), tmp_path / "pandas")
    assert mismatches(tmp_path / "ssmtl", tmp_path / "pandas") == []
    assert len(list((tmp_path / "ssmtl").iterdir())) == CUTOFFS * len(task.ENTITIES)


def test_every_part_has_the_declared_columns(log: Path) -> None:
    for part in ssmtl_engine.snapshots(log, CUTOFFS):
        names = (*task.aggregate_names(part.entity), *task.label_names(part.entity))
        assert set(part.columns) == set(names)
        assert len(names) > 40
        assert all(len(values) == len(part.codes) for values in part.columns.values())


def test_a_difference_is_named(log: Path, tmp_path: Path) -> None:
    parts = list(pandas_engine.snapshots(log, 1))
    keep(parts, tmp_path / "left")
    wrong = parts[0].columns["recency"].copy()
    wrong[2] += 0.01
    keep(
        [replace(parts[0], columns={**parts[0].columns, "recency": wrong}), *parts[1:]],
        tmp_path / "right",
    )
    (found,) = mismatches(tmp_path / "left", tmp_path / "right")
    assert "recency: 1 of" in found


def test_folding_adds_up_the_parts_in_any_order(log: Path) -> None:
    parts = list(pandas_engine.snapshots(log, CUTOFFS))
    sums = folded(parts)
    assert sums["user.rows"] == sum(len(part.codes) for part in parts if part.entity == "user")
    assert not any(np.isnan(list(sums.values())))
    assert sums_differing(sums, folded(reversed(parts))) == []
    assert sums_differing(sums, folded(parts[1:])) != []


def test_online_equals_offline(log: Path) -> None:
    answer = online(log, users=30)
    assert answer["mismatches"] == 0
    assert 0 < answer["p50_ms"] <= answer["p99_ms"]
