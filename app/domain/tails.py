"""A dataset's tail in the database: the events of batches that are in no part yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import TailEvents
from app.ingest.event_batch import from_bytes, keys_of
from app.ingest.row_keys import NO_KEYS, Keys


@dataclass(frozen=True)
class Tail:
    """Some batches in the order in which they were committed.

    Attributes:
        start: the sequence number behind which they are.
        contents: their rows as they are kept, by sequence number.
        has_time: whether the events have times; None if there are none.
    """

    start: int
    contents: Mapping[int, bytes]
    has_time: bool | None

    @property
    def sequence(self) -> int:
        """Of the last one; if there is none, where they would begin."""
        return max(self.contents, default=self.start)

    def tables(self, after: int = 0) -> Iterator[pa.Table]:
        """The rows of the batches behind a sequence number, in the columns of a part."""
        for sequence, content in self.contents.items():
            if sequence > after:
                yield from_bytes(content)

    @cached_property
    def keys(self) -> Keys:
        """By which duplicates are found."""
        return np.concatenate([NO_KEYS, *(keys_of(table) for table in self.tables())])


def tail_of(session: Session, dataset_id: int, after: int = 0) -> Tail:
    """The batches of a dataset behind a sequence number."""
    query = select(TailEvents.sequence, TailEvents.has_time, TailEvents.content).where(
        TailEvents.dataset_id == dataset_id, TailEvents.sequence > after
    )
    rows = session.execute(query.order_by(TailEvents.sequence)).all()
    return Tail(
        start=after,
        contents={row.sequence: row.content for row in rows},
        has_time=rows[0].has_time if rows else None,
    )


def tail_rows(session: Session, dataset_id: int) -> int:
    """How many events a dataset's tail has."""
    rows = select(func.sum(TailEvents.rows)).where(TailEvents.dataset_id == dataset_id)
    return int(session.scalar(rows) or 0)
