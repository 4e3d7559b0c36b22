"""Event batches: a few events at a time, in the database before they are answered.

As with an import, what takes long is done outside the transaction, against the parts and the tail
of one moment; what came since is looked at again under the dataset's lock (`add_batch`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.db.tables import EventBatch, TailEvents
from app.domain import datasets, idempotency
from app.domain.idempotency import IdempotentRequest
from app.domain.tails import Tail, tail_of
from app.errors import NotFound
from app.ingest.event_batch import CheckedBatch, to_bytes
from app.ingest.manifest import parts_of
from app.ingest.parts import PartFile, have_time
from app.ingest.rejection_log import FIRST
from app.ingest.staging import Convention, OnError

MOST_EVENTS = 1000


@dataclass(frozen=True)
class BatchTarget:
    """A dataset as it was when a batch looked at it."""

    dataset_id: int
    name: str
    revision: int
    convention: Convention
    parts: list[PartFile]
    tail: Tail


def find_target(session: Session, name: str, data_dir: Path) -> BatchTarget:
    """The dataset that a batch goes to.

    Raises:
        NotFound: There is none of this name.
    """
    dataset = datasets.get_dataset(session, name)
    parts, tail = parts_of(session, dataset.id, data_dir), tail_of(session, dataset.id)
    known = have_time(parts)
    has_time = tail.has_time if known is None else known
    return BatchTarget(
        dataset_id=dataset.id,
        name=dataset.name,
        revision=dataset.revision,
        convention=Convention(datasets.mapping_of(dataset), dataset.time_zone, has_time),
        parts=parts,
        tail=tail,
    )


def add_batch(
    session: Session,
    target: BatchTarget,
    batch: CheckedBatch,
    new: NDArray[np.bool_],
    on_error: OnError,
    request: IdempotentRequest | None = None,
) -> EventBatch | None:
    """Store a batch; None if parts have come since the target was looked at.

    Args:
        session: in whose transaction.
        target: as it was looked at.
        batch: what was checked against it.
        new: which of its rows are in no part.
        on_error: what the client wanted done with bad rows.
        request: under which the client may send it again.

    Raises:
        Conflict: The same request was committed a moment ago.
        NotFound: The dataset was deleted meanwhile.
    """
    dataset = datasets.get_dataset(session, target.name, lock=True)
    if dataset.id != target.dataset_id:
        raise NotFound(f"the dataset {target.name!r} was deleted", code="dataset_not_found")
    if dataset.revision != target.revision:
        return None
    later = tail_of(session, dataset.id, after=target.tail.sequence)
    if target.convention.has_time is None and later.has_time not in {None, batch.has_time}:
        return None
    known = np.concatenate([target.tail.keys, later.keys])
    rows = batch.rows.filter(pa.array(new & ~np.isin(batch.keys, known)))
    row = EventBatch(
        dataset_id=dataset.id,
        on_error=on_error,
        rows_read=batch.rows_read,
        rows_accepted=rows.num_rows,
        rows_duplicate=batch.rows.num_rows - rows.num_rows,
        rows_rejected=len(batch.rejections),
        rejections_by_code=batch.rejected_by_code,
        rejections=[asdict(rejection) for rejection in batch.rejections[:FIRST]],
        notes=list(batch.notes),
    )
    session.add(row)
    session.flush()
    idempotency.remember(session, request, str(row.id))
    if rows.num_rows:
        dataset.event_sequence += 1
        session.add(
            TailEvents(
                dataset_id=dataset.id,
                sequence=dataset.event_sequence,
                batch_id=row.id,
                rows=rows.num_rows,
                has_time=batch.has_time,
                content=to_bytes(rows),
            )
        )
        datasets.note_change(session, dataset.id)
        session.flush()
    return row
