from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.ingest import duplicates
from app.ingest.duplicates import new_events, stored_events
from app.ingest.parts import PartFile


def keys_file(path: Path, keys: np.ndarray) -> Path:
    pq.write_table(pa.table({"key": keys.astype(np.uint64)}), path, row_group_size=50)
    return path


@pytest.mark.parametrize("range_rows", [10, 1000, 10**6])
def test_the_first_of_each_key_is_new_unless_a_part_has_it(
    range_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "RANGE_ROWS", range_rows)
    random = np.random.default_rng(0)
    known = random.integers(0, 2**64, 300, dtype=np.uint64)
    edges = np.array([0, 2**64 - 1, 2**64 - 1, 0], dtype=np.uint64)
    new = random.integers(0, 2**64, 300, dtype=np.uint64)
    keys = random.permutation(np.concatenate([new, new[:50], known[:100], edges]))
    part = PartFile(keys_file(tmp_path / "part", known), "events", None, None)
    keep = new_events(keys_file(tmp_path / "staged", keys), len(keys), [part])
    stored, expected = set(known.tolist()), []
    for key in keys.tolist():
        expected.append(key not in stored)
        stored.add(key)
    assert keep.tolist() == expected


@pytest.mark.parametrize("few", [0, 1 << 12])
@pytest.mark.parametrize("rows", [0, 1, 20])
def test_a_few_are_found_in_parts_as_many_are(
    rows: int, few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_FEW", few)
    random = np.random.default_rng(1)
    known = random.integers(0, 2**64, 300, dtype=np.uint64)
    alike = known[:rows] ^ np.uint64(1 << 40)  # the last bits are the same
    keys = random.permutation(np.concatenate([known[:rows], alike]))
    parts = [
        PartFile(keys_file(tmp_path / str(number), own), "events", None, None)
        for number, own in enumerate([known[:150], known[150:]])
    ]
    assert stored_events(keys, parts).tolist() == np.isin(keys, known).tolist()
