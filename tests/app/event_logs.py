"""The log of a dataset, as trainings open it, and read plainly, to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from app.db.tables import Dataset
from app.ingest.attributes import DROPPED, UNDECLARED, split_name
from app.ingest.cells import numbers_of
from app.ingest.index_folder import open_event_log
from app.ingest.manifest import parts_of
from app.ingest.parts import PartFile, have_time
from model.events import EventLog


def load_event_log(session: Session, dataset: Dataset, data_dir: Path) -> EventLog:
    parts = parts_of(session, dataset.id, data_dir)
    return open_event_log(parts, dataset.name, dataset.time_zone, memory_mb=16)


def event_frame(parts: Sequence[PartFile]) -> pd.DataFrame:
    """The events in the order of import: their own columns and further ones."""
    tables = [pq.read_table(part.path) for part in parts if part.table == "events"]
    table = pa.concat_tables(tables, promote_options="default").drop_columns("key")
    names = [name for name in table.column_names if not split_name(name)[0]]
    if have_time(parts) is False:
        names.remove("time")
    return table.select(names).to_pandas().assign(**_further_columns(table))


def _further_columns(table: pa.Table) -> dict[str, pd.Series]:
    found = [(stored, *split_name(stored)) for stored in table.column_names]
    dropped = {name for _, prefix, name in found if prefix == DROPPED}
    return {
        name: _values(table.column(stored), undeclared=prefix == UNDECLARED)
        for stored, prefix, name in found
        if prefix and name not in dropped
    }


def _values(column: pa.ChunkedArray, *, undeclared: bool) -> pd.Series:
    numbers = numbers_of(column.combine_chunks()) if undeclared else None
    if numbers is None or numbers.unreadable.any() or numbers.missing.all():
        return column.to_pandas()
    return pd.Series(numbers.value)
