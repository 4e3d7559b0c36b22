"""Rows of one task's predictions in columns, as they lie in the database: an Arrow stream each.

    entity_id    text
    item_id      text; of pairs alone
    point        float64, what the rows are ordered by
    cold_start   boolean
    parameters   a list of float32 of one length: the served parameters of the distribution
    answer       JSON, in place of `parameters`, where the parameters are not known any more

Parameters take a few bytes where the answer as JSON takes some hundred, and the answer follows from
them. Only what was stored before there were sets has answers in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

CHUNK_ROWS = 4096
"""How many rows each chunk of a task has, but the last."""


@dataclass(frozen=True)
class AnswerRows:
    """R rows of one task.

    Attributes:
        entity_ids: (R,) Arrow text; the users of pairs.
        item_ids: (R,) Arrow text, None unless they are pairs.
        point: (R,) ascending.
        cold_start: (R,)
        parameters: (R, P), None where `answers` stand for them.
        answers: (R,) JSON objects, None where there are parameters.
    """

    entity_ids: pa.Array
    item_ids: pa.Array | None
    point: NDArray[np.float64]
    cold_start: NDArray[np.bool_]
    parameters: NDArray[np.float32] | None
    answers: list[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.point)

    def slice(self, start: int, stop: int) -> AnswerRows:
        """Some of them, without a copy."""
        rows = slice(start, stop)
        return AnswerRows(
            self.entity_ids[rows],
            None if self.item_ids is None else self.item_ids[rows],
            self.point[rows],
            self.cold_start[rows],
            None if self.parameters is None else self.parameters[rows],
            None if self.answers is None else self.answers[rows],
        )

    def backwards(self) -> AnswerRows:
        """The last one first."""
        places = pa.array(np.arange(len(self))[::-1])
        return AnswerRows(
            self.entity_ids.take(places),
            None if self.item_ids is None else self.item_ids.take(places),
            self.point[::-1],
            self.cold_start[::-1],
            None if self.parameters is None else self.parameters[::-1],
            None if self.answers is None else self.answers[::-1],
        )

    def every(self, step: int, first: int) -> AnswerRows:
        """Each `step`-th row, from the one at `first` on."""
        at = np.arange(first, len(self), step)
        places = pa.array(at)
        return AnswerRows(
            self.entity_ids.take(places),
            None if self.item_ids is None else self.item_ids.take(places),
            self.point[at],
            self.cold_start[at],
            None if self.parameters is None else self.parameters[at],
            None if self.answers is None else [self.answers[row] for row in at],
        )

    @classmethod
    def together(cls, parts: Sequence[AnswerRows]) -> AnswerRows:
        """The rows of several, which all have parameters."""
        items = [part.item_ids for part in parts if part.item_ids is not None]
        return cls(
            pa.concat_arrays([part.entity_ids for part in parts]),
            pa.concat_arrays(items) if items else None,
            np.concatenate([part.point for part in parts]),
            np.concatenate([part.cold_start for part in parts]),
            np.concatenate([part.parameters for part in parts if part.parameters is not None]),
        )


def encode(rows: AnswerRows) -> bytes:
    """As they are stored."""
    columns: dict[str, pa.Array] = {"entity_id": rows.entity_ids}
    if rows.item_ids is not None:
        columns["item_id"] = rows.item_ids
    columns["point"] = pa.array(rows.point)
    columns["cold_start"] = pa.array(rows.cold_start)
    if rows.parameters is not None:
        flat = pa.array(np.ascontiguousarray(rows.parameters).ravel())
        columns["parameters"] = pa.FixedSizeListArray.from_arrays(flat, rows.parameters.shape[1])
    else:
        documents = [orjson.dumps(answer).decode() for answer in rows.answers or ()]
        columns["answer"] = pa.array(documents, pa.string())
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode(content: bytes) -> AnswerRows:
    """What `encode` was given."""
    with pa.ipc.open_stream(content) as reader:
        batch = reader.read_next_batch()
    names = batch.schema.names
    parameters = answers = None
    if "parameters" in names:
        column = batch.column("parameters")
        flat = column.flatten().to_numpy(zero_copy_only=True)
        parameters = flat.reshape(len(column), column.type.list_size)
    else:
        answers = [orjson.loads(document) for document in batch.column("answer").to_pylist()]
    return AnswerRows(
        entity_ids=batch.column("entity_id"),
        item_ids=batch.column("item_id") if "item_id" in names else None,
        point=batch.column("point").to_numpy(),
        cold_start=batch.column("cold_start").to_numpy(zero_copy_only=False),
        parameters=parameters,
        answers=answers,
    )
