"""A few events in memory: checked like those of an upload, kept as bytes until they are a part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
import model.lazy_pandas as pd
from app.ingest.duplicates import stored_events
from app.ingest.event_rows import EventChecks
from app.ingest.faults import Rejection
from app.ingest.finishing import near_parts
from app.ingest.json_rows import JsonRows
from app.ingest.parts import PartFile
from app.ingest.rejection_log import FIRST
from app.ingest.row_keys import Keys
from app.ingest.staging import Convention, Judged, Policy, judge

_CANONICAL = ("user", "item", "time", "event_type", "quantity", "price", "value")


@dataclass(frozen=True)
class CheckedBatch:
    """The good rows of a batch in the columns of a part, and why the others are not among them."""

    rows: pa.Table
    rows_read: int
    rejections: list[Rejection]
    by_event_id: bool
    has_time: bool
    notes: tuple[str, ...]

    @property
    def keys(self) -> Keys:
        """(rows,) by which duplicates are found."""
        return keys_of(self.rows)

    @property
    def rejected_by_code(self) -> dict[str, int]:
        """How many rows are bad for each reason."""
        return dict(Counter(rejection.code for rejection in self.rejections))


def check_batch(objects: Sequence[object], convention: Convention, policy: Policy) -> CheckedBatch:
    """Check and convert all rows.

    Raises:
        InvalidUpload: a column is missing, or there are no rows.
        Invalid: the policy forbids that many bad rows.
    """
    upload = JsonRows(objects)
    mapping, zone = convention.mapping.events, convention.time_zone
    checks = EventChecks(mapping, upload, zone, convention.has_time)
    (block,) = upload.blocks(checks.wanted)
    checked = checks.check(block)
    judge(policy, Judged(checked.rows_read, len(checked.rejections), checked.rejections[:FIRST]))
    return CheckedBatch(
        rows=checked.rows,
        rows_read=checked.rows_read,
        rejections=checked.rejections,
        by_event_id=checks.by_event_id,
        has_time=checks.has_time,
        notes=checks.notes,
    )


def new_rows(batch: CheckedBatch, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which rows are the first of their key, and of a key that no part has."""
    keys = batch.keys
    times = batch.rows.column("time").drop_null()
    span = pc.min_max(times).as_py()
    own = [part for part in parts if part.table == "events"]
    near = own if batch.by_event_id else near_parts(own, span["min"], span["max"])
    first: NDArray[np.bool_] = ~pd.Series(keys).duplicated().to_numpy()
    return first & ~stored_events(keys, near)


def keys_of(rows: pa.Table) -> Keys:
    """The keys of rows."""
    keys: Keys = rows.column("key").to_numpy()
    return keys


def to_bytes(rows: pa.Table) -> bytes:
    """Rows as they are kept: an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def from_bytes(content: bytes) -> pa.Table:
    """The rows that were kept."""
    return pa.ipc.open_stream(content).read_all()


def frame_of(rows: pa.Table) -> pd.DataFrame:
    """The rows as a log takes them, without further columns."""
    frame: pd.DataFrame = rows.select(_CANONICAL).to_pandas()
    return frame.drop(columns="time") if frame["time"].isna().all() else frame
