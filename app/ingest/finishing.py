"""Second half of an import: leave out what the dataset has, write the part, count.

Runs outside any transaction, against the parts of one revision of the dataset; if another import
was committed meanwhile, it runs again.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.ingest.attributes import DROPPED, UNDECLARED
from app.ingest.duplicates import new_entities, new_events, stored_in
from app.ingest.event_columns import check_agreement
from app.ingest.further_columns import crowded
from app.ingest.mapping import Table
from app.ingest.part_writer import PartWriter
from app.ingest.parts import PartFile, have_time, sha256_of
from app.ingest.row_keys import NO_KEYS, Keys
from app.ingest.staging import Staged
from app.ingest.tally import Tally


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


def finish(
    staged: Staged, parts: Sequence[PartFile], folder: Path, known: Keys = NO_KEYS
) -> Finished:
    """Write the new rows of what was staged.

    Args:
        staged: What `app.ingest.staging.stage` made.
        parts: All parts of the dataset, in the order of import.
        folder: Where the part is written.
        known: Keys of events that the dataset has beside its parts.

    Raises:
        InvalidUpload: The events have times and those of the parts have not, or the other way
            round.
    """
    own = [part for part in parts if part.table == staged.table]
    if staged.table == "events":
        check_agreement(staged.has_time, have_time(own))
        tally = staged.tally
        near = own if staged.by_event_id else near_parts(own, tally.first_at, tally.last_at)
        keep = new_events(staged.rows_path, tally.rows, near, known)
    else:
        keep = new_entities(staged.rows_path, own)
    if not keep.any():
        return Finished(None, 0)
    path, tally = _written(staged, keep, folder / "part.parquet")
    return _finished(path, tally, parts, staged.table)


def has_any(finished: Finished, keys: Keys) -> bool:
    """Whether some of these events are in a finished part of events."""
    if finished.path is None or not len(keys):
        return False
    schema = pq.read_schema(finished.path)
    return "time" in schema.names and bool(stored_in(finished.path, keys).any())


def finish_table(events: pa.Table, parts: Sequence[PartFile], folder: Path) -> Finished:
    """Write events that are in memory and that no part has.

    Args:
        events: In the columns of a part.
        parts: All parts of the dataset, in the order of import.
        folder: Where the part is written.
    """
    events = _without(events, crowded(events))
    with PartWriter(folder / "part.parquet", events.schema) as writer:
        writer.add(events)
    return _finished(writer.path, writer.tally, parts, "events")


def _finished(path: Path, tally: Tally, parts: Sequence[PartFile], table: Table) -> Finished:
    return Finished(
        path=path,
        rows=tally.rows,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        first_at=tally.first_at,
        last_at=tally.last_at,
        event_types=dict(tally.event_types),
        counts=tally.counts(parts, table),
        columns=tally.columns.kinds,
        values=tally.columns.values,
    )


def _written(staged: Staged, keep: NDArray[np.bool_], path: Path) -> tuple[Path, Tally]:
    """The part and what it holds; what was staged is one already if no row is left out."""
    path.unlink(missing_ok=True)
    if keep.all() and not staged.dropped:
        try:
            path.hardlink_to(staged.rows_path)  # another attempt needs what was staged
        except OSError:  # a file system without them
            shutil.copyfile(staged.rows_path, path)
        return path, staged.tally
    schema = _without(pq.read_schema(staged.rows_path).empty_table(), staged.dropped).schema
    with PartWriter(path, schema) as writer:
        for rows in _kept(staged.rows_path, keep):
            writer.add(_without(rows, staged.dropped))
    return path, writer.tally


def _without(table: pa.Table, dropped: Collection[str]) -> pa.Table:
    """The table with a mark in the place of each dropped column, which says that it was there."""
    for name in sorted(dropped):
        table = table.drop_columns(UNDECLARED + name)
        table = table.append_column(DROPPED + name, pa.nulls(table.num_rows))
    return table


def _kept(path: Path, keep: NDArray[np.bool_]) -> Iterator[pa.Table]:
    file, done = pq.ParquetFile(path), 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        yield table.filter(pa.array(keep[done : done + table.num_rows]))
        done += table.num_rows


def near_parts(
    parts: Sequence[PartFile], first: datetime | None, last: datetime | None
) -> list[PartFile]:
    """The parts that may have an event of these times; without times all may."""
    return [
        part
        for part in parts
        if first is None
        or last is None
        or part.first_at is None
        or part.last_at is None
        or (part.first_at <= last and first <= part.last_at)
    ]
