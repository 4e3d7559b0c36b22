"""Answers as Arrow tables: one layout for all targets, a column is null where it says nothing.

task, user, item, model_version, cutoff_at, cold_start, point
probability                                    occurs
expected, expected_days, probability_any       count, sum, time_to, numbers
quantile_0.1, quantile_0.5, quantile_0.9       the same
best, probabilities                            peak periods and classes: text, and a map
survival                                       time_to: a map by days
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from app.domain.prediction_chunks import AnswerRows
from model.distributions import AnswerColumn, Distribution, NamedShares, columns_of
from model.tasks import Task

_NUMBERS = (
    "probability",
    "expected",
    "expected_days",
    "probability_any",
    "quantile_0.1",
    "quantile_0.5",
    "quantile_0.9",
)
_SHARES = pa.map_(pa.string(), pa.float64())

SCHEMA = pa.schema(
    [
        pa.field("task", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("user", pa.string()),
        pa.field("item", pa.string()),
        pa.field("model_version", pa.int32(), nullable=False),
        pa.field("cutoff_at", pa.timestamp("us", "UTC")),
        pa.field("cold_start", pa.bool_(), nullable=False),
        pa.field("point", pa.float64(), nullable=False),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
        pa.field("best", pa.string()),
        pa.field("probabilities", _SHARES),
        pa.field("survival", _SHARES),
    ]
)


@dataclass(frozen=True)
class Told:
    """Who says it, and as of when; None in a log without times."""

    model_version: int
    cutoff_at: datetime | None


def answer_table(
    task: Task, rows: AnswerRows, distribution: Distribution | None, told: Told
) -> pa.RecordBatch:
    """The answers of one task; without a distribution from the answers of the rows."""
    size = len(rows)
    own = (
        {name: _column(column) for name, column in columns_of(distribution).items()}
        if distribution is not None
        else _from_documents(rows.answers or [])
    )
    no_text = pa.nulls(size, pa.string())
    ids = {
        "user": no_text if task.entity == "item" else rows.entity_ids,
        "item": rows.entity_ids if task.entity == "item" else (rows.item_ids or no_text),
    }
    columns = {
        "task": pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(size, dtype=np.int32)), pa.array([task.name], pa.string())
        ),
        **ids,
        "model_version": pa.array(np.full(size, told.model_version, dtype=np.int32)),
        "cutoff_at": pa.repeat(pa.scalar(told.cutoff_at, pa.timestamp("us", "UTC")), size),
        "cold_start": pa.array(rows.cold_start),
        "point": pa.array(rows.point),
        **own,
    }
    return pa.RecordBatch.from_arrays(
        [columns.get(field.name, pa.nulls(size, field.type)) for field in SCHEMA], schema=SCHEMA
    )


def _column(column: AnswerColumn) -> pa.Array:
    if isinstance(column, NamedShares):
        return _shares(column)
    if column.dtype == object:
        return pa.array(column, pa.string())
    return pa.array(column, from_pandas=True)  # NaN is null: beyond the horizon


def _shares(column: NamedShares) -> pa.Array:
    rows, names = column.values.shape
    offsets = pa.array(np.arange(0, (rows + 1) * names, names, dtype=np.int32))
    keys = pa.array(column.names, pa.string()).take(
        pa.array(np.tile(np.arange(names, dtype=np.int32), rows))
    )
    return pa.MapArray.from_arrays(offsets, keys, pa.array(column.values.ravel()))


def _from_documents(answers: Sequence[dict[str, Any]]) -> dict[str, pa.Array]:
    """Columns out of answers as JSON."""
    flat = [_flattened(answer) for answer in answers]
    names = {name for answer in flat for name in answer} & set(SCHEMA.names)
    return {
        name: pa.array([answer.get(name) for answer in flat], SCHEMA.field(name).type)
        for name in names
    }


def _flattened(answer: dict[str, Any]) -> dict[str, Any]:
    quantiles = answer.get("quantiles", {})
    best = {"best": str(answer["best"])} if "best" in answer else {}
    shares: dict[str, Any] = {
        name: list(answer[name].items()) for name in ("probabilities", "survival") if name in answer
    }
    return {
        **answer,
        **best,
        **shares,
        **{f"quantile_{level}": value for level, value in quantiles.items()},
    }
