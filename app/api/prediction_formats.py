"""How many predictions go over the wire: rows or columns of JSON, an Arrow stream, Parquet.

What the client accepts decides. Columns cost a tenth of what an object for each answer costs.
Reasons stand beside their predictions. Joint probabilities are one for each entity of a kind: in
JSON they stand apart, in a table in the rows of the first task of the kind.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import parquet

from app.api.conditional_answers import (
    EXPLANATION,
    JOINT,
    explanation_lists,
    explanation_row,
    joint_lists,
    joint_rows,
)
from app.api.moments import cutoff_shown
from app.api.predicting import head_of, whom_of
from app.domain.answer_tables import SCHEMA, Told, answer_table
from app.domain.conditional import Reasoned
from app.domain.prediction_chunks import AnswerRows
from app.domain.predictions import Basis, Question, answers_of
from app.errors import NotAcceptable
from model.distributions import NamedShares, columns_of
from model.events import to_datetime
from model.events.arrow_memory import text_array
from model.prediction import Predictions
from model.prediction.explanation import Explanation

ROWS = "application/json"
COLUMNS = "application/vnd.ssmtl.columns+json"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

Encode = Callable[[Basis, Question, Reasoned], bytes]

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


def _as_rows(basis: Basis, question: Question, found: Reasoned) -> bytes:
    """An object for each answer."""
    joints = (
        {**whom_of(kind, entity.entity_id, entity.item_id, basis), **row}
        for kind, joint in found.joints.items()
        for entity, row in zip(question.entities[kind], joint_rows(joint), strict=True)
    )
    return _as_json(row_documents(basis, found), joints)


def row_documents(basis: Basis, found: Reasoned) -> Iterator[dict[str, Any]]:
    """An object for each prediction."""
    for told in found.predictions:
        reasons = _reasons(found, told)
        for row, one in enumerate(answers_of(told)):
            document = {
                **head_of(told.task, one.entity, basis),
                "cold_start": one.cold_start,
                "point": one.point,
                **one.distribution,
            }
            if reasons:
                document["explanation"] = explanation_row(reasons[row])
            yield document


def _as_columns(basis: Basis, question: Question, found: Reasoned) -> bytes:
    """An object for each task, with a list for each column."""
    predictions = (_columns(basis, told, _reasons(found, told)) for told in found.predictions)
    return _as_json(predictions, _joint_columns(basis, question, found))


def _columns(basis: Basis, told: Predictions, reasons: Sequence[Explanation]) -> dict[str, Any]:
    task = told.task
    document: dict[str, Any] = {
        "task": task.name,
        **whom_of(task.entity, told.entity_ids, told.item_ids, basis),
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
    if reasons:
        document["explanation"] = explanation_lists(reasons)
    return document


def _joint_columns(basis: Basis, question: Question, found: Reasoned) -> Iterator[dict[str, Any]]:
    for kind, joint in found.joints.items():
        asked = question.entities[kind]
        yield {**whom_of(kind, asked.ids, asked.item_ids, basis), **joint_lists(joint)}


def _as_json(predictions: Iterable[Any], joints: Iterable[Any]) -> bytes:
    """Both lists, object by object; of joint probabilities only if there are some."""
    encode = partial(orjson.dumps, option=orjson.OPT_SERIALIZE_NUMPY)
    parts = [b'{"predictions":[', b",".join(map(encode, predictions)), b"]"]
    if together := b",".join(map(encode, joints)):
        parts += [b',"joint":[', together, b"]"]
    return b"".join([*parts, b"}"])


def _reasons(found: Reasoned, told: Predictions) -> list[Explanation]:
    """Of one task, entity by entity; none where they were not asked for."""
    return [one[told.task.name] for one in found.explanations.get(told.task.entity, ())]


def _as_arrow(basis: Basis, _question: Question, found: Reasoned) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _schema(found)) as writer:
        for batch in _batches(basis, found):
            writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _as_parquet(basis: Basis, _question: Question, found: Reasoned) -> bytes:
    sink = io.BytesIO()
    with parquet.ParquetWriter(sink, _schema(found), use_dictionary=_REPEATED) as writer:
        for batch in _batches(basis, found):
            writer.write_batch(batch)
    return sink.getvalue()


def _schema(found: Reasoned) -> pa.Schema:
    """The columns of a download, and what was asked for beside."""
    schema = SCHEMA
    if found.explanations:
        schema = schema.append(pa.field("explanation", EXPLANATION))
    if found.joints:
        schema = schema.append(pa.field("joint", JOINT))
    return schema


def _batches(basis: Basis, found: Reasoned) -> Iterator[pa.RecordBatch]:
    """One batch per task."""
    who = Told(basis.model.number, cutoff_shown(to_datetime(basis.cutoff_us)))
    joints = dict(found.joints)
    for told in found.predictions:
        rows = AnswerRows(
            entity_ids=text_array(told.entity_ids),
            item_ids=None if told.item_ids is None else text_array(told.item_ids),
            point=told.point,
            cold_start=told.cold_start,
            parameters=None,
            answers=None,
        )
        batch = answer_table(told.task, rows, told.distribution, who)
        if found.explanations:
            reasons = map(explanation_row, _reasons(found, told))
            batch = batch.append_column("explanation", pa.array(reasons, EXPLANATION))
        if found.joints:
            joint = joints.pop(told.task.entity, None)
            column = (
                pa.nulls(len(rows), JOINT) if joint is None else pa.array(joint_rows(joint), JOINT)
            )
            batch = batch.append_column("joint", column)
        yield batch


_ENCODERS: dict[str, Encode] = {
    ROWS: _as_rows,
    COLUMNS: _as_columns,
    ARROW: _as_arrow,
    PARQUET: _as_parquet,
}
