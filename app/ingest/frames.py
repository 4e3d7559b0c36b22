"""From the parts of a dataset back to frames, and to the log that the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Part
from app.ingest.attributes import DROPPED, UNDECLARED, split_name
from app.ingest.cells import numbers_of
from app.ingest.event_rows import SCHEMA
from app.ingest.parts import PartFile, have_time
from model.errors import InvalidEvents
from model.events import EventLog

_EVENT_COLUMNS = [name for name in SCHEMA.names if name != "key"]
_TIME = pa.timestamp("us", "UTC")


def parts_of(session: Session, dataset_id: int, data_dir: Path) -> list[PartFile]:
    """All parts of a dataset, in the order of import."""
    rows = session.scalars(select(Part).where(Part.dataset_id == dataset_id).order_by(Part.id))
    return [PartFile(data_dir / row.path, row.table, row.first_at, row.last_at) for row in rows]


def load_event_log(
    session: Session, dataset: Dataset, data_dir: Path, until: datetime | None = None
) -> EventLog:
    """The dataset's log with its users and items.

    Args:
        session: Only asked for the manifest.
        dataset: Which one.
        data_dir: Where its parts lie.
        until: Leave out events after this time.

    Raises:
        InvalidEvents: There are no events.
    """
    parts = parts_of(session, dataset.id, data_dir)
    return log_from_parts(parts, dataset.name, dataset.time_zone, until)


def log_from_parts(
    parts: Sequence[PartFile], dataset_name: str, time_zone: str, until: datetime | None = None
) -> EventLog:
    """The log that these parts hold; needs no database.

    Raises:
        InvalidEvents: There are no events.
    """
    events = event_frame(parts, until)
    if events.empty:
        before = "" if until is None else f" until {until.isoformat()}"
        raise InvalidEvents(f"dataset {dataset_name!r} has no events{before}: import some")
    return EventLog.from_frames(
        events,
        users=entity_frame(parts, "user"),
        items=entity_frame(parts, "item"),
        time_zone=time_zone,
    )


def event_frame(parts: Sequence[PartFile], until: datetime | None = None) -> pd.DataFrame:
    """The events in canonical columns and further ones, in the order of import.

    Events without times have no column for them, and all are before any time.
    """
    own = [part for part in parts if part.table == "events" and not _is_after(part, until)]
    tables = [SCHEMA.empty_table(), *(_events_of(part, until) for part in own)]
    table = pa.concat_tables(tables, promote_options="default").drop_columns("key")
    further = _further_columns(table)
    names = [name for name in _EVENT_COLUMNS if name != "time" or have_time(own) is not False]
    table = table.select(names)
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame.assign(**further)


def _events_of(part: PartFile, until: datetime | None) -> pa.Table:
    table = pq.read_table(part.path)
    if until is None or part.first_at is None:
        return table
    return table.filter(pc.less_equal(table.column("time"), pa.scalar(until, _TIME)))


def _further_columns(table: pa.Table) -> dict[str, pd.Series]:
    """Numbers or texts by plain name; what any part has dropped is incomplete, and left out."""
    found = [(stored, *split_name(stored)) for stored in table.column_names]
    dropped = {name for _, prefix, name in found if prefix == DROPPED}
    return {
        name: _attribute(table.column(stored), as_number=prefix == UNDECLARED)
        for stored, prefix, name in found
        if prefix and name not in dropped
    }


def entity_frame(parts: Sequence[PartFile], entity: str) -> pd.DataFrame | None:
    """The users or items, the newest row of each; None if there is no such table.

    Attributes that the mapping declares are floats or texts. Others are numbers if every value
    that is there reads as one, else texts.
    """
    own = [part for part in parts if part.table == f"{entity}s"]
    if not own:
        return None
    tables = [pq.read_table(part.path) for part in own]
    table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    ids = table.column(entity).to_pandas()
    newest = pa.array(~ids.duplicated(keep="last").to_numpy())
    table = table.filter(newest)
    columns = {entity: table.column(entity).to_pandas()}
    for name in table.column_names:
        prefix, plain = split_name(name)
        if prefix:
            values = _attribute(table.column(name), as_number=prefix == UNDECLARED)
            columns[plain if plain != entity else f"{plain}_"] = values
    return pd.DataFrame(columns)


def _attribute(column: pa.ChunkedArray, *, as_number: bool) -> pd.Series:
    if as_number:
        numbers = numbers_of(column.combine_chunks())
        if not numbers.unreadable.any() and not numbers.missing.all():
            return pd.Series(numbers.value)
    values: pd.Series = column.to_pandas()
    return values


def _is_after(part: PartFile, until: datetime | None) -> bool:
    return until is not None and part.first_at is not None and part.first_at > until
