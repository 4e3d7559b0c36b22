"""A prediction set as a file, piece by piece, in memory that does not grow with the set."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import orjson
import pyarrow as pa
from pyarrow import csv, parquet
from sqlalchemy.orm import Session, sessionmaker

import model.lazy_compute as pc
from app.db.engine import transaction
from app.db.tables import Dataset
from app.domain.answer_tables import SCHEMA, Told, answer_table
from app.domain.model_versions import get_version, trained_tasks
from app.domain.prediction_chunks import CHUNK_ROWS
from app.domain.prediction_sets import FoundSet, SetTask, read_rows, tasks_of_set
from app.domain.stored_predictions import Answer, answers_of_rows
from app.errors import NotFound
from app.ingest.formats import Format
from model.tasks import Task

_ROWS_AT_ONCE = 16 * CHUNK_ROWS
_MAPS = ("probabilities", "survival")
_REPEATED = ["task", "model_version", "cutoff_at", "best"]


def chosen_tasks(
    session: Session, dataset: Dataset, found: FoundSet, name: str | None
) -> list[SetTask]:
    """All tasks of a set, or the one of this name.

    Raises:
        NotFound: the set does not have it.
    """
    version = get_version(session, dataset, found.version)
    tasks = tasks_of_set(session, found.prediction_set, trained_tasks(version))
    if name is None:
        return list(tasks.values())
    if name not in tasks:
        raise NotFound(
            f"prediction set {found.prediction_set.id} has no task {name!r}; it has "
            f"{', '.join(tasks)}",
            code="task_not_found",
        )
    return [tasks[name]]


def export(
    sessions: sessionmaker[Session], tasks: Sequence[SetTask], told: Told, how: Format
) -> Iterator[bytes]:
    """The file in pieces: task by task, the largest point first.

    Each piece is read in a transaction of its own. A set that is removed meanwhile ends the file
    before its end, as an error.
    """
    match how:
        case "parquet":
            return _parquet(_tables(sessions, tasks, told))
        case "csv":
            return _csv(_tables(sessions, tasks, told))
        case "jsonl":
            return _json_lines(sessions, tasks, told)


def answer_document(answer: Answer, task: Task, told: Told) -> dict[str, object]:
    """An answer as a JSON object, as the prediction routes tell it."""
    entity_id, item_id = answer.entity
    return {
        **answer.distribution,
        "task": task.name,
        "entity": task.entity,
        "user": entity_id if task.entity != "item" else None,
        "item": {"user": None, "item": entity_id, "pair": item_id}[task.entity],
        "model_version": told.model_version,
        "cutoff_at": told.cutoff_at,
        "cold_start": answer.cold_start,
        "point": answer.point,
    }


def _pieces(of_task: SetTask) -> Iterator[tuple[int, int]]:
    """Places from the last to the first, in whole chunks."""
    for start in range(0, of_task.rows, _ROWS_AT_ONCE)[::-1]:
        yield start, min(start + _ROWS_AT_ONCE, of_task.rows)


def _tables(
    sessions: sessionmaker[Session], tasks: Sequence[SetTask], told: Told
) -> Iterator[pa.Table]:
    for of_task in tasks:
        for start, stop in _pieces(of_task):
            with transaction(sessions, write=False) as session:
                chunks = list(read_rows(session, of_task.set_id, of_task.task.name, start, stop))
            _check_whole(sum(map(len, chunks)), stop - start)
            backwards = [rows.backwards() for rows in reversed(chunks)]
            yield pa.Table.from_batches(
                answer_table(of_task.task, rows, of_task.distribution(rows), told)
                for rows in backwards
            )


def _parquet(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    sink = _Sink()
    with parquet.ParquetWriter(sink, SCHEMA, use_dictionary=_REPEATED) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=len(table))
            yield sink.taken()
    yield sink.taken()


def _csv(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    sink = _Sink()
    schema = _as_text(SCHEMA.empty_table()).schema
    with csv.CSVWriter(sink, schema) as writer:
        for table in tables:
            writer.write_table(_as_text(table))
            yield sink.taken()
    yield sink.taken()


def _as_text(table: pa.Table) -> pa.Table:
    """Maps become JSON, times ISO 8601."""
    as_text = {name: _json_text(table.column(name)) for name in _MAPS}
    as_text["cutoff_at"] = pc.strftime(table.column("cutoff_at"), "%Y-%m-%dT%H:%M:%SZ")
    as_text["task"] = table.column("task").cast(pa.string())
    for name, column in as_text.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def _json_text(column: pa.ChunkedArray) -> pa.Array:
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string())
    documents = [
        None if shares is None else orjson.dumps(dict(shares)).decode()
        for shares in column.to_pylist()
    ]
    return pa.array(documents, pa.string())


def _json_lines(
    sessions: sessionmaker[Session], tasks: Sequence[SetTask], told: Told
) -> Iterator[bytes]:
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
    for of_task in tasks:
        for start in range(0, of_task.rows, CHUNK_ROWS)[::-1]:
            stop = min(start + CHUNK_ROWS, of_task.rows)
            with transaction(sessions, write=False) as session:
                chunks = list(read_rows(session, of_task.set_id, of_task.task.name, start, stop))
            _check_whole(sum(map(len, chunks)), stop - start)
            answers = [answer for rows in chunks for answer in answers_of_rows(of_task, rows)]
            yield b"".join(
                orjson.dumps(answer_document(answer, of_task.task, told), option=options)
                for answer in reversed(answers)
            )


def _check_whole(found: int, expected: int) -> None:
    """A file that ends early must not look whole."""
    if found != expected:
        raise RuntimeError("the prediction set was removed while it was read")


class _Sink(io.RawIOBase):
    """A file of which what was written is taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        content = bytes(memoryview(piece))  # type: ignore[arg-type]
        self._pieces.append(content)
        return len(content)

    def taken(self) -> bytes:
        """All that was written since the last call."""
        content, self._pieces = b"".join(self._pieces), []
        return content
