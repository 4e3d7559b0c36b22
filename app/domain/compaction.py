"""Compaction: the tail of a dataset becomes an ordinary part, as one import.

The part is written between transactions. That it is in the manifest and that its events are in the
tail no more is one commit: whoever dies in between has changed nothing, and who comes second finds
it done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, EventBatch, Import, Part, TailEvents
from app.domain.datasets import note_change, remove_files
from app.domain.imports import part_of
from app.ingest.event_batch import from_bytes
from app.ingest.finishing import Finished, finish_table
from app.ingest.manifest import parts_of
from app.ingest.parts import PartFile, publish, staging
from app.jobs.clock import database_now

_ATTEMPTS = 20


@dataclass(frozen=True)
class _Waiting:
    """A tail, and the dataset as it was when it was read."""

    revision: int
    parts: list[PartFile]
    sequences: list[int]
    batches: list[int]
    contents: list[bytes]


def due_compactions(session: Session, rows: int, age_s: float) -> list[int]:
    """The datasets whose tail has so many events, or one so old."""
    oldest = database_now(session) - timedelta(seconds=age_s)
    query = select(TailEvents.dataset_id).group_by(TailEvents.dataset_id)
    is_due = or_(func.sum(TailEvents.rows) >= rows, func.min(TailEvents.created_at) <= oldest)
    return list(session.scalars(query.having(is_due)))


def compact(factory: sessionmaker[Session], data_dir: Path, dataset_id: int) -> int:
    """Make a part of a dataset's tail; returns how many events it has, 0 if there was nothing."""
    for _ in range(_ATTEMPTS):
        with transaction(factory, write=False) as session:
            waiting = _look(session, dataset_id, data_dir)
        if not waiting.contents:
            return 0
        with staging(data_dir) as folder:
            finished = finish_table(_table(waiting.contents), waiting.parts, folder)
            if _publish(factory, data_dir, dataset_id, waiting, finished):
                return finished.rows
    return 0


def _look(session: Session, dataset_id: int, data_dir: Path) -> _Waiting:
    rows = session.scalars(
        select(TailEvents).where(TailEvents.dataset_id == dataset_id).order_by(TailEvents.sequence)
    ).all()
    revision = session.scalar(select(Dataset.revision).where(Dataset.id == dataset_id))
    return _Waiting(
        revision=revision or 0,
        parts=parts_of(session, dataset_id, data_dir),
        sequences=[row.sequence for row in rows],
        batches=[row.batch_id for row in rows],
        contents=[row.content for row in rows],
    )


def _table(contents: Sequence[bytes]) -> pa.Table:
    """All rows; a batch may lack further columns that others have."""
    tables = [from_bytes(content) for content in contents]
    whole = pa.concat_tables(tables, promote_options="default")
    return whole.select([*(name for name in whole.column_names if name != "key"), "key"])


def _publish(
    factory: sessionmaker[Session],
    data_dir: Path,
    dataset_id: int,
    waiting: _Waiting,
    finished: Finished,
) -> bool:
    """Whether the tail is a part now; not if the dataset has moved on since it was read."""
    assert finished.path is not None
    part: Path | None = None
    try:
        with transaction(factory) as session:
            dataset = session.scalar(
                select(Dataset).where(Dataset.id == dataset_id).with_for_update(key_share=True)
            )
            own = TailEvents.dataset_id == dataset_id, TailEvents.sequence.in_(waiting.sequences)
            left = session.scalar(select(func.count()).select_from(TailEvents).where(*own))
            if dataset is None or dataset.revision != waiting.revision:
                return False
            if left != len(waiting.sequences):
                return False
            part = publish(finished.path, data_dir, dataset_id)
            session.execute(delete(TailEvents).where(*own))
            session.add(_part(session, dataset, waiting, finished, part))
            session.flush()
    except BaseException:
        remove_files([data_dir / part] if part else [], data_dir)
        raise
    return True


def _part(
    session: Session, dataset: Dataset, waiting: _Waiting, finished: Finished, path: Path
) -> Part:
    """The part's row, and the import that it is of: what became of all the batches together."""
    batches = session.scalars(
        select(EventBatch).where(EventBatch.id.in_(waiting.batches)).order_by(EventBatch.id)
    ).all()
    dataset.revision += 1
    note_change(session, dataset.id)
    row = Import(
        dataset_id=dataset.id,
        table="events",
        format="json",
        on_error="skip",
        rows_read=sum(batch.rows_accepted for batch in batches),
        rows_accepted=finished.rows,
        rows_duplicate=0,
        rows_rejected=0,
        rejections_by_code={},
        rejections=[],
        rejections_path=None,
        notes=[f"{len(batches):,} batches of events that were posted, put together"],
        dataset_revision=dataset.revision,
    )
    session.add(row)
    session.flush()
    return part_of(row, finished, path)
