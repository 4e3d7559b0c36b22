"""First half of an import: read, check and stage an upload. Needs no database.

What is staged depends on the upload and the mapping alone; which of its rows the dataset already
has is for `app.ingest.finishing`, which may run again when another import came first.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa

from app.errors import FieldError, Invalid
from app.ingest.ahead import made_ahead
from app.ingest.blocks import Upload, open_upload
from app.ingest.checked import Checks
from app.ingest.encodings import as_utf8
from app.ingest.entity_rows import EntityChecks
from app.ingest.event_rows import EventChecks
from app.ingest.faults import InvalidUpload, Rejection
from app.ingest.formats import Reading
from app.ingest.mapping import Mapping, Table
from app.ingest.part_writer import PartWriter
from app.ingest.rejection_log import RejectionLog
from app.ingest.tally import Tally

OnError = Literal["abort", "skip"]


@dataclass(frozen=True)
class Policy:
    """What bad rows mean: `abort` the import, or `skip` up to a share of them."""

    on_error: OnError = "abort"
    max_error_ratio: float = 1.0


@dataclass(frozen=True)
class Convention:
    """What a dataset says of its uploads; `has_time` is None while it has no events."""

    mapping: Mapping
    time_zone: str
    has_time: bool | None = None


@dataclass(frozen=True)
class Staged:
    """The good rows of an upload, as a part that may yet lose some; `tally` counts them.

    `dropped` are further columns of events that turned out to be of no use.
    """

    table: Table
    rows_path: Path
    rejections_path: Path
    rows_read: int
    rejected_by_code: dict[str, int]
    first_rejections: list[Rejection]
    tally: Tally
    by_event_id: bool
    has_time: bool
    dropped: frozenset[str]
    notes: tuple[str, ...]

    @property
    def rows_rejected(self) -> int:
        """How many rows were bad."""
        return sum(self.rejected_by_code.values())


def stage(
    path: Path,
    reading: Reading,
    table: Table,
    convention: Convention,
    policy: Policy,
    folder: Path,
) -> Staged:
    """Check all rows of the file at `path` and write the good ones to `folder`.

    Raises:
        InvalidUpload: The file cannot be read, or lacks a column.
        Invalid: The policy forbids that many bad rows.
    """
    text = reading.format != "parquet"
    upload = open_upload(as_utf8(path, reading.encoding) if text else path, reading)
    checks = _checks(table, convention, upload)
    rows_read = 0
    blocks = made_ahead(partial(upload.blocks, checks.wanted))
    with (
        closing(blocks),
        RejectionLog(folder / "rejections.jsonl.gz") as log,
        PartWriter(folder / "staged.parquet", checks.schema) as writer,
    ):
        for block in blocks:
            checked = checks.check(block)
            rows_read += checked.rows_read
            log.add(checked.rejections)
            writer.add(checked.rows)
    pa.default_memory_pool().release_unused()  # looking for duplicates needs some
    staged = Staged(
        table=table,
        rows_path=writer.path,
        rejections_path=log.path,
        rows_read=rows_read,
        rejected_by_code=dict(log.by_code),
        first_rejections=log.first,
        tally=writer.tally,
        by_event_id=checks.by_event_id,
        has_time=checks.has_time,
        dropped=checks.dropped,
        notes=checks.notes,
    )
    judge(policy, Judged(staged.rows_read, staged.rows_rejected, staged.first_rejections))
    return staged


def _checks(table: Table, convention: Convention, upload: Upload) -> Checks:
    mapping = convention.mapping
    if table == "users":
        return EntityChecks("user", mapping.users, upload)
    if table == "items":
        return EntityChecks("item", mapping.items, upload)
    return EventChecks(mapping.events, upload, convention.time_zone, convention.has_time)


@dataclass(frozen=True)
class Judged:
    """How many rows were read and are bad, and the first of the bad ones."""

    rows_read: int
    rows_rejected: int
    first_rejections: list[Rejection]


def judge(policy: Policy, found: Judged) -> None:
    """Let the good rows be taken, or refuse all.

    Raises:
        InvalidUpload: there are no rows.
        Invalid: the policy forbids that many bad ones.
    """
    read, rejected = found.rows_read, found.rows_rejected
    if read == 0:
        raise InvalidUpload("there are no rows", code="no_rows")
    if rejected == 0:
        return
    if policy.on_error == "abort":
        hint = "Send it with on_error=skip to take the others."
    elif rejected == read:
        hint = "No row is good: does the mapping fit the file?"
    elif rejected / read > policy.max_error_ratio:
        hint = f"No more than max_error_ratio={policy.max_error_ratio:g} of them may be."
    else:
        return
    first = found.first_rejections[0]
    column = f", column {first.column!r}" if first.column is not None else ""
    raise Invalid(
        f"{rejected:,} of {read:,} rows are bad, so nothing was stored; the first is row "
        f"{first.row}{column}: {first.message}. {hint}",
        code="rows_rejected",
        errors=tuple(_field_error(rejection) for rejection in found.first_rejections),
    )


def _field_error(rejection: Rejection) -> FieldError:
    told = asdict(rejection)
    column = (told["column"] or "").replace("~", "~0").replace("/", "~1")
    pointer = f"/body/{rejection.row}" + (f"/{column}" if column else "")
    return FieldError(pointer, rejection.message, rejection.code)
