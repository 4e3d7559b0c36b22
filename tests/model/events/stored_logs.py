"""Compares logs and their indices, array by array, and stores them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from model.events import EntityEvents, EventLog
from model.events.building import build_index
from model.events.index import SLOT_COLUMNS
from model.events.log import LOG_COLUMNS
from model.events.storage import StoredLog


def table_of(frame: pd.DataFrame) -> pa.Table:
    """A frame of events as a part would hold it."""
    frame = frame.assign(
        **{
            name: frame[name].astype("float64") if name in frame else np.nan
            for name in ("quantity", "price", "value")
        }
    )
    table = pa.Table.from_pandas(frame, preserve_index=False)
    names = table.column_names
    for name in ("user", "item", "event_type"):
        table = table.set_column(names.index(name), name, table[name].cast(pa.string()))
    if "time" in names:
        times = table["time"].cast(pa.timestamp("us", "UTC"))
        table = table.set_column(names.index("time"), "time", times)
    return table


def slices(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    for start in range(0, len(table), rows):
        yield table.slice(start, rows)


def stored(tables: Iterator[pa.Table], folder: Path, **more: object) -> StoredLog:
    """An index built of these."""
    path = folder / uuid4().hex
    build_index(tables, path, **more)  # type: ignore[arg-type]
    return StoredLog(path)


def assert_same_array(one: NDArray[np.generic], other: NDArray[np.generic], name: str) -> None:
    assert one.dtype == other.dtype, name
    assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name


def assert_same_index(one: EntityEvents, other: EntityEvents) -> None:
    for name in ("offsets", *SLOT_COLUMNS):
        assert_same_array(getattr(one, name), getattr(other, name), name)


def assert_same_log(one: EventLog, other: EventLog) -> None:
    for table in ("users", "items"):
        mine, theirs = getattr(one, table), getattr(other, table)
        pd.testing.assert_index_equal(mine.ids, theirs.ids, check_names=False)
        pd.testing.assert_frame_equal(mine.attributes, theirs.attributes, check_column_type=False)
    for name in ("event_types", "time_zone", "has_value", "has_quantity", "has_time"):
        assert getattr(one, name) == getattr(other, name), name
    for name in LOG_COLUMNS:
        assert_same_array(getattr(one, name), getattr(other, name), name)
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        (data, texts), (other_data, other_texts) = map(
            attrgetter("data", "values"), (one.columns[name], other.columns[name])
        )
        assert texts == other_texts
        assert_same_array(data, other_data, name)
    assert_same_index(one.user_events, other.user_events)
    assert_same_index(one.item_events, other.item_events)
    assert_same_index(one.pair_events.events, other.pair_events.events)
    assert_same_array(one.pair_events.pairs, other.pair_events.pairs, "pairs")
