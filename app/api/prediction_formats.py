"""How many predictions go over the wire: rows or columns of JSON, an Arrow stream, Parquet.

What the client accepts decides. Columns cost a tenth of what an object for each answer costs.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import parquet

from app.api.moments import cutoff_shown
from app.api.predicting import head_of
from app.domain.answer_tables import SCHEMA, Told, answer_table
from app.domain.prediction_chunks import AnswerRows
from app.domain.predictions import Basis, answers_of
from app.errors import NotAcceptable
from model.distributions import NamedShares, columns_of
from model.events import to_datetime
from model.prediction import Predictions

ROWS = "application/json"
COLUMNS = "application/vnd.ssmtl.columns+json"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

Encode = Callable[[Basis, Iterable[Predictions]], bytes]

_QUANTILE = "quantile_"
_REPEATED = ["task", "model_version", "cutoff_at", "best"]


def wire_format(accept: str | None) -> tuple[str, Encode]:
    """The media type of the answer, and what makes it.

    Args:
        accept: the request's header; of what it names the most wanted counts.

    Raises:
        NotAcceptable: none of what it names is known.
    """
    for wanted in _wanted(accept or "*/*"):
        for media_type, encode in _ENCODERS.items():
            kind = media_type.partition("/")[0]
            if wanted in {media_type, f"{kind}/*", "*/*"}:
                return media_type, encode
    raise NotAcceptable(
        f"Accept: {accept} names no format of predictions; there are {', '.join(_ENCODERS)}"
    )


def _wanted(accept: str) -> list[str]:
    """Media types, the most wanted first; of equal ones the first, patterns last."""
    found = []
    for place, part in enumerate(accept.split(",")):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality > 0:
            found.append((-quality, "*" in media_type, place, media_type))
    return [media_type for *_, media_type in sorted(found)]


def _as_rows(basis: Basis, answers: Iterable[Predictions]) -> bytes:
    """An object for each answer."""
    pieces = []
    for told in answers:
        for one in answers_of(told):
            document = {
                **head_of(told.task, one.entity, basis),
                "cold_start": one.cold_start,
                "point": one.point,
                **one.distribution,
            }
            pieces.append(orjson.dumps(document))
    return b'{"predictions":[' + b",".join(pieces) + b"]}"


def _as_columns(basis: Basis, answers: Iterable[Predictions]) -> bytes:
    """An object for each task, with a list for each column."""
    options = orjson.OPT_SERIALIZE_NUMPY
    pieces = [orjson.dumps(_columns(basis, told), option=options) for told in answers]
    return b'{"predictions":[' + b",".join(pieces) + b"]}"


def _columns(basis: Basis, told: Predictions) -> dict[str, Any]:
    task, kind = told.task, told.task.entity
    document: dict[str, Any] = {
        "task": task.name,
        "entity": kind,
        "user": None if kind == "item" else told.entity_ids,
        "item": {"user": None, "item": told.entity_ids, "pair": told.item_ids}[kind],
        "model_version": basis.model.number,
        "cutoff_at": basis.cutoff_at,
        "cold_start": told.cold_start,
        "point": told.point,
        "kind": task.target.kind,
    }
    for name, column in columns_of(told.distribution).items():
        if isinstance(column, NamedShares):
            shares = np.ascontiguousarray(column.values.T)
            document[name] = dict(zip(column.names, shares, strict=True))
        elif name.startswith(_QUANTILE):
            document.setdefault("quantiles", {})[name.removeprefix(_QUANTILE)] = column
        else:
            document[name] = column.tolist() if column.dtype == object else column
    return document


def _as_arrow(basis: Basis, answers: Iterable[Predictions]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        for batch in _batches(basis, answers):
            writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _as_parquet(basis: Basis, answers: Iterable[Predictions]) -> bytes:
    sink = io.BytesIO()
    with parquet.ParquetWriter(sink, SCHEMA, use_dictionary=_REPEATED) as writer:
        for batch in _batches(basis, answers):
            writer.write_batch(batch)
    return sink.getvalue()


def _batches(basis: Basis, answers: Iterable[Predictions]) -> Iterator[pa.RecordBatch]:
    """The columns of a download, one batch per task."""
    who = Told(basis.model.number, cutoff_shown(to_datetime(basis.cutoff_us)))
    for told in answers:
        rows = AnswerRows(
            entity_ids=pa.array(told.entity_ids, pa.string()),
            item_ids=None if told.item_ids is None else pa.array(told.item_ids, pa.string()),
            point=told.point,
            cold_start=told.cold_start,
            parameters=None,
            answers=None,
        )
        yield answer_table(told.task, rows, told.distribution, who)


_ENCODERS: dict[str, Encode] = {
    ROWS: _as_rows,
    COLUMNS: _as_columns,
    ARROW: _as_arrow,
    PARQUET: _as_parquet,
}
