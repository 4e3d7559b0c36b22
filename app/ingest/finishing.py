"""Second half of an import: leave out what the dataset has, write the part, count.

Runs outside any transaction, against the parts of one revision of the dataset; if another import
was committed meanwhile, it runs again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.ingest.attributes import DROPPED, UNDECLARED
from app.ingest.column_tally import ColumnTally
from app.ingest.duplicates import distinct_ids, new_entities, new_events, new_ids
from app.ingest.event_columns import check_agreement
from app.ingest.parts import ROW_GROUP_ROWS, PartFile, have_time, part_writer, sha256_of
from app.ingest.row_keys import Keys
from app.ingest.staging import Staged

_TABLE_OF = {"user": "users", "item": "items"}


@dataclass(frozen=True)
class Finished:
    """A part that waits to be published; `path` is None if no row is new."""

    path: Path | None
    rows: int
    sha256: str = ""
    bytes: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    event_types: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)


def finish(staged: Staged, parts: Sequence[PartFile], folder: Path) -> Finished:
    """Write the new rows of what was staged.

    Args:
        staged: What `app.ingest.staging.stage` made.
        parts: All parts of the dataset, in the order of import.
        folder: Where the part is written.

    Raises:
        InvalidUpload: The events have times and those of the parts have not, or the other way
            round.
    """
    own = [part for part in parts if part.table == staged.table]
    if staged.id_keys is None:
        check_agreement(staged.has_time, have_time(own))
        # An event that is known by its content can only be in a part of the same time.
        everywhere = staged.by_event_id or not staged.has_time
        near = own if everywhere else _overlapping(own, *_span(staged.rows_path))
        keep = new_events(staged.keys, near)
    else:
        keep = new_entities(staged.keys, staged.id_keys, own)
    if not keep.any():
        return Finished(None, 0)
    path = folder / "part.parquet"
    tally = _Tally()
    schema = _without(pq.read_schema(staged.rows_path).empty_table(), staged.dropped).schema
    with part_writer(path, schema) as writer:
        for rows in _kept(staged.rows_path, keep):
            table = _without(rows, staged.dropped)
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            tally.add(table)
    return Finished(
        path=path,
        rows=int(keep.sum()),
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        first_at=tally.first_at,
        last_at=tally.last_at,
        event_types=dict(tally.event_types),
        counts=tally.counts(parts, staged.table),
        columns=tally.columns.kinds,
        values=tally.columns.values,
    )


class _Tally:
    """Counts what a profile is made of."""

    def __init__(self) -> None:
        self.event_types: Counter[str] = Counter()
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.columns = ColumnTally()
        self._filled: Counter[str] = Counter()
        self._ids: dict[str, list[Keys]] = {}

    def add(self, table: pa.Table) -> None:
        for entity in {"user", "item"}.intersection(table.column_names):
            self._ids.setdefault(entity, []).append(distinct_ids(table.column(entity)))
        self.columns.add(table)
        if "time" not in table.column_names:
            return
        for name in ("user", "item", "quantity"):
            self._filled[name] += table.num_rows - table.column(name).null_count
        worth = pc.coalesce(
            table.column("value"), pc.multiply(table.column("quantity"), table.column("price"))
        )
        self._filled["value"] += table.num_rows - worth.null_count
        for count in pc.value_counts(table.column("event_type")).to_pylist():
            self.event_types[count["values"]] += count["counts"]
        first, last = pc.min_max(table.column("time")).as_py().values()
        if first is None:
            return
        self.first_at = first if self.first_at is None else min(self.first_at, first)
        self.last_at = last if self.last_at is None else max(self.last_at, last)

    def counts(self, parts: Sequence[PartFile], table: str) -> dict[str, int]:
        counts = dict(self._filled)
        for entity, keys in self._ids.items():
            ids = np.concatenate(keys)
            counts[f"new_{entity}s"] = new_ids(ids, parts, entity)
            if table == _TABLE_OF[entity]:
                own = [part for part in parts if part.table == table]
                counts["new_rows"] = new_ids(ids, own, entity)
        return counts


def _without(table: pa.Table, dropped: Collection[str]) -> pa.Table:
    """The table with a mark in the place of each dropped column, which says that it was there."""
    for name in sorted(dropped):
        table = table.drop_columns(UNDECLARED + name)
        table = table.append_column(DROPPED + name, pa.nulls(table.num_rows))
    return table


def _kept(path: Path, keep: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """The kept rows, gathered to row groups of a good size."""
    file, done = pq.ParquetFile(path), 0
    waiting: list[pa.Table] = []
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        waiting.append(table.filter(pa.array(keep[done : done + table.num_rows])))
        done += table.num_rows
        if sum(part.num_rows for part in waiting) >= ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if any(part.num_rows for part in waiting):
        yield pa.concat_tables(waiting)


def _span(path: Path) -> tuple[datetime, datetime]:
    first, last = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index("time")
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(column).statistics
        first, last = min(first, statistics.min), max(last, statistics.max)
    return first, last


def _overlapping(parts: Sequence[PartFile], first: datetime, last: datetime) -> list[PartFile]:
    return [
        part
        for part in parts
        if part.first_at is not None
        and part.last_at is not None
        and part.first_at <= last
        and first <= part.last_at
    ]
