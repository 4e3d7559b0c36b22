"""The peer of `benchmarks.import_by_ssmtl`: the same import with pandas, in chunks.

    python -m benchmarks.import_by_pandas EVENTS.csv FOLDER --cost FILE

`read_csv(chunksize=...)` reads text, as its guide advises for files that do not fit into memory;
whole columns are converted and checked, bad rows are named with their record, each row gets a key
by `hash_pandas_object`, by which duplicates are left out, and each chunk becomes a row group of one
Parquet file. pandas names no record with too few cells (it fills them up) and counts lines, not
records, where there are too many.
"""

from __future__ import annotations

import argparse
import json
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import measured, write_cost

CHUNK_ROWS = 250_000
_LONGEST_ID = 200
_LARGEST = 1e12
_FIRST, _LAST = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2201-01-01", tz="UTC")
_TEXTS = ("user_id", "item_id", "event_type")
_NUMBERS = ("quantity", "price", "value")
Rejections = list[dict[str, Any]]


def main() -> None:
    """Import a file and say what it cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_by_pandas")
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cost", type=Path, required=True)
    given = parser.parse_args()
    write_cost(measured(partial(import_file, given.source, given.folder)), given.cost)


def import_file(source: Path, folder: Path) -> dict[str, int]:
    """How many rows were taken and how many not."""
    rejections: Rejections = []
    keys: list[pd.Series] = []
    part, writer = folder / "part.parquet", None
    with warnings.catch_warnings(record=True) as malformed:
        warnings.simplefilter("always")  # they name the lines with too many cells
        for chunk in pd.read_csv(source, dtype=str, chunksize=CHUNK_ROWS, on_bad_lines="warn"):
            good = _checked(chunk, rejections)
            keys.append(good["key"])
            table = pa.Table.from_pandas(good, preserve_index=False)
            writer = writer or pq.ParquetWriter(part, table.schema, compression="zstd")
            writer.write_table(table)
    assert writer is not None
    writer.close()
    twice = pd.concat(keys, ignore_index=True).duplicated()
    if twice.any():
        kept = pd.read_parquet(part)[~twice.to_numpy()]
        kept.to_parquet(part, compression="zstd", index=False)
    (folder / "rejections.json").write_text(json.dumps(rejections))
    return {"accepted": int((~twice).sum()), "rejected": len(rejections) + len(malformed)}


def _checked(chunk: pd.DataFrame, rejections: Rejections) -> pd.DataFrame:
    """The good rows of a chunk in canonical columns; the others are named."""
    bad = pd.Series(False, index=chunk.index)

    def reject(where: pd.Series, column: str, code: str) -> None:
        nonlocal bad
        new = where & ~bad
        bad |= new
        records = chunk.index[new].to_numpy() + 1
        for record, cell in zip(records.tolist(), chunk.loc[new, column], strict=True):
            rejections.append({"row": record, "column": column, "code": code, "cell": cell})

    texts = {name: chunk[name].str.strip() for name in (*_TEXTS, "time")}
    for name in _TEXTS:
        reject(texts[name].str.len() > _LONGEST_ID, name, "too_long")
        reject(texts[name].str.contains("\0", regex=False).fillna(False), name, "not_text")
    reject(texts["user_id"].isna() & texts["item_id"].isna(), "user_id", "missing_value")
    reject(texts["event_type"].isna(), "event_type", "missing_value")
    time = pd.to_datetime(texts["time"], format="ISO8601", utc=True, errors="coerce")
    reject(texts["time"].isna(), "time", "missing_value")
    reject(time.isna() & texts["time"].notna(), "time", "not_a_time")
    reject((time < _FIRST) | (time >= _LAST), "time", "absurd_time")
    reject(time > pd.Timestamp.now("UTC") + pd.Timedelta(days=2), "time", "future_time")
    numbers = {}
    for name in _NUMBERS:
        if name not in chunk:
            numbers[name] = pd.Series(np.nan, index=chunk.index)
            continue
        numbers[name] = pd.to_numeric(chunk[name], errors="coerce")
        reject(numbers[name].isna() & chunk[name].notna(), name, "not_a_number")
        reject(numbers[name].abs() > _LARGEST, name, "out_of_range")
    events = pd.DataFrame(
        {
            "user": texts["user_id"],
            "item": texts["item_id"],
            "time": time,
            "event_type": texts["event_type"],
            **numbers,
        }
    )
    events["key"] = pd.util.hash_pandas_object(events, index=False)
    return events[~bad]


if __name__ == "__main__":
    main()
