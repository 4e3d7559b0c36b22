"""Imports: what was uploaded, what became of its rows, and the part they are in.

The upload is worked on outside any transaction (`app.ingest`), against the parts of one revision of
the dataset. `lock_target` refuses when the dataset has moved on since, so that two imports at once
cannot store an event twice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Import, Part
from app.domain import datasets, idempotency
from app.domain.idempotency import IdempotentRequest
from app.domain.tails import Tail, tail_of
from app.errors import NotFound
from app.ingest.finishing import Finished, has_any
from app.ingest.formats import Format
from app.ingest.manifest import parts_of
from app.ingest.mapping import Mapping
from app.ingest.parts import SCHEMA_VERSION, PartFile, have_time
from app.ingest.staging import OnError, Staged


@dataclass(frozen=True)
class Target:
    """A dataset as it was when an import looked at it."""

    dataset_id: int
    name: str
    revision: int
    mapping: Mapping
    time_zone: str
    parts: list[PartFile]
    tail: Tail

    @property
    def has_time(self) -> bool | None:
        """Whether the dataset's events have times; None while it has none."""
        known = have_time(self.parts)
        return self.tail.has_time if known is None else known


@dataclass(frozen=True)
class Published:
    """Where the files of an import lie, relative to the data directory."""

    part: Path | None
    rejections: Path | None


def find_target(session: Session, name: str, data_dir: Path) -> Target:
    """The dataset that an import goes to.

    Raises:
        NotFound: There is none of this name.
    """
    dataset = datasets.get_dataset(session, name)
    return Target(
        dataset_id=dataset.id,
        name=dataset.name,
        revision=dataset.revision,
        mapping=datasets.mapping_of(dataset),
        time_zone=dataset.time_zone,
        parts=parts_of(session, dataset.id, data_dir),
        tail=tail_of(session, dataset.id),
    )


def lock_target(session: Session, seen: Target, finished: Finished) -> Dataset | None:
    """The dataset, locked, if it is still as it was seen; None if another import came first.

    Events that were posted meanwhile do no harm, unless they are among the finished ones.

    Raises:
        NotFound: The dataset was deleted meanwhile (also if there is a new one of its name).
    """
    dataset = datasets.get_dataset(session, seen.name, lock=True)
    if dataset.id != seen.dataset_id:
        raise NotFound(
            f"the dataset {seen.name!r} was deleted during the import", code="dataset_not_found"
        )
    later = tail_of(session, dataset.id, after=seen.tail.sequence)
    is_same = dataset.revision == seen.revision and not has_any(finished, later.keys)
    return dataset if is_same else None


def add_import(
    session: Session,
    dataset: Dataset,
    staged: Staged,
    finished: Finished,
    published: Published,
    file_format: Format,
    on_error: OnError,
    request: IdempotentRequest | None = None,
) -> Import:
    """Record the import and its part; the dataset's revision grows.

    Raises:
        Conflict: The same request was committed a moment ago.
    """
    dataset.revision += 1
    datasets.note_change(session, dataset.id)
    row = Import(
        dataset_id=dataset.id,
        table=staged.table,
        format=file_format,
        on_error=on_error,
        rows_read=staged.rows_read,
        rows_accepted=finished.rows,
        rows_duplicate=staged.tally.rows - finished.rows,
        rows_rejected=staged.rows_rejected,
        rejections_by_code=staged.rejected_by_code,
        rejections=[asdict(rejection) for rejection in staged.first_rejections],
        rejections_path=str(published.rejections) if published.rejections else None,
        notes=list(staged.notes),
        dataset_revision=dataset.revision,
    )
    session.add(row)
    session.flush()
    idempotency.remember(session, request, str(row.id))
    if published.part is not None:
        session.add(part_of(row, finished, published.part))
        session.flush()
    return row


def get_import(session: Session, dataset: Dataset, import_id: int) -> Import:
    """One import of a dataset.

    Raises:
        NotFound: The dataset has no such import.
    """
    row = session.get(Import, import_id)
    if row is None or row.dataset_id != dataset.id:
        raise NotFound(
            f"no import {import_id} in dataset {dataset.name!r}; "
            f"GET /v1/datasets/{dataset.name}/imports lists them",
            code="import_not_found",
        )
    return row


def list_imports(session: Session, dataset: Dataset, after: int | None, limit: int) -> list[Import]:
    """Imports, the newest first, one more than `limit` if there are more."""
    statement = select(Import).where(Import.dataset_id == dataset.id)
    if after is not None:
        statement = statement.where(Import.id < after)
    return list(session.scalars(statement.order_by(Import.id.desc()).limit(limit + 1)))


def part_of(row: Import, finished: Finished, path: Path) -> Part:
    """The manifest's row of an import's part."""
    return Part(
        dataset_id=row.dataset_id,
        import_id=row.id,
        table=row.table,
        path=str(path),
        sha256=finished.sha256,
        rows=finished.rows,
        bytes=finished.bytes,
        first_at=finished.first_at,
        last_at=finished.last_at,
        event_types=finished.event_types,
        counts=finished.counts,
        columns=finished.columns,
        values=finished.values,
        schema_version=SCHEMA_VERSION,
    )
