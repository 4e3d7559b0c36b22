"""From scored pieces to a prediction set: each task's rows are put in order and stored in chunks.

Every transaction is short and fenced, and nobody sees the set before it is published.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy.orm import Session

from app.db.tables import PredictionSet
from app.domain.prediction_chunks import CHUNK_ROWS, AnswerRows, encode
from app.domain.prediction_sets import (
    CHUNKS_AT_ONCE,
    SetTask,
    add_chunks,
    add_task,
    begin_set,
)
from app.worker.answer_spool import AnswerSpool
from app.worker.answering import Answering, Piece, ScoredPiece
from model.distributions import Distribution
from model.errors import Stopped

_Chunk = tuple[str, int, bytes]
OnProgress = Callable[[float], None]
ShouldStop = Callable[[], bool]
Fenced = Callable[[], AbstractContextManager[Session]]


def score_into(
    spool: AnswerSpool,
    answering: Answering,
    pieces: Sequence[Piece],
    progress: OnProgress,
    should_stop: ShouldStop,
    threads: int = 1,
) -> None:
    """Score the pieces that the spool does not have, so many at a time.

    Raises:
        Stopped: the job was cancelled.
    """
    missing = [number for number in range(len(pieces)) if number not in spool]
    with ThreadPoolExecutor(threads, "scoring") as pool:
        ahead: deque[tuple[int, Future[ScoredPiece]]] = deque()
        for number in missing:
            ahead.append((number, pool.submit(answering.score, pieces[number])))
            if len(ahead) > threads:
                _keep(spool, *ahead.popleft())
            progress(len(spool) / len(pieces))
            if should_stop():
                pool.shutdown(cancel_futures=True)
                raise Stopped("stopped while scoring")
        for scored in ahead:
            _keep(spool, *scored)


def _keep(spool: AnswerSpool, number: int, scored: Future[ScoredPiece]) -> None:
    spool.add(number, scored.result())


@dataclass(frozen=True)
class SetWriter:
    """Writes what was scored.

    Attributes:
        answering: what was asked.
        pieces: all of them; the spool has their scores.
        spool: see `score_into`.
        fenced: a transaction of the run that writes.
    """

    answering: Answering
    pieces: Sequence[Piece]
    spool: AnswerSpool
    fenced: Fenced

    def write(
        self,
        dataset_id: int,
        job_id: str | None,
        *,
        ranked: bool,
        progress: OnProgress,
        should_stop: ShouldStop,
    ) -> int:
        """Store the rows of all tasks; returns the id of the set, which is to be published.

        Raises:
            RunLost: another run has the job.
            Stopped: the job was cancelled.
        """
        cutoff_at = self.answering.cutoff_at
        with self.fenced() as session:
            begun = begin_set(
                session, dataset_id=dataset_id, job_id=job_id, cutoff_at=cutoff_at, ranked=ranked
            )
        ids = {
            kind: pa.array(table.ids, pa.string())
            for kind, table in (
                ("user", self.answering.log.users),
                ("item", self.answering.log.items),
            )
        }
        batch: list[_Chunk] = []
        for place, name in enumerate(self.answering.tasks):
            _stop_if_told(should_stop)
            progress(place / len(self.answering.tasks))
            described, rows = self._in_order(name, begun.id, ids)
            for chunk in _chunks(name, rows):
                batch.append(chunk)
                if len(batch) >= CHUNKS_AT_ONCE:
                    self._store(begun.id, batch)
                    batch = []
            self._store(begun.id, batch, described)
            batch = []
        return begun.id

    def _in_order(
        self, name: str, set_id: int, ids: dict[str, pa.Array]
    ) -> tuple[SetTask, AnswerRows]:
        """A task's rows, the smallest point first, equal ones by their ids."""
        predictor = self.answering.predictor
        task = predictor.tasks[name]
        serving = predictor.artifact.description.serving[name]
        own = (number for number, piece in enumerate(self.pieces) if piece.entity == task.entity)
        found = list(self.spool.read(own, name))
        layout = predictor.artifact.layout(task.entity)
        columns = layout.columns_of(name)
        none = np.zeros((0, columns.stop - columns.start), dtype=np.float32)
        parameters = np.concatenate([none, *(piece.parameters[name] for piece in found)])
        codes = np.concatenate([np.zeros(0, np.int64), *(piece.codes for piece in found)])
        items = np.concatenate([np.zeros(0, np.int64), *(piece.items for piece in found)])
        cold = np.concatenate([np.zeros(0, np.bool_), *(piece.cold_start for piece in found)])
        described = SetTask(set_id, task, len(codes), serving.scale, layout.classes.get(name, ()))
        point = Distribution(
            task, parameters.astype(np.float64), described.scale, described.classes
        ).point
        keys = (items, codes, point) if len(items) else (codes, point)
        order = np.lexsort(keys)  # codes are in the order of ids
        kind = "item" if task.entity == "item" else "user"
        rows = AnswerRows(
            entity_ids=ids[kind].take(pa.array(codes[order])),
            item_ids=(ids["item"].take(pa.array(items[order])) if task.entity == "pair" else None),
            point=point[order],
            cold_start=cold[order],
            parameters=parameters[order],
        )
        return described, rows

    def _store(
        self, set_id: int, chunks: Sequence[_Chunk], described: SetTask | None = None
    ) -> None:
        with self.fenced() as session:
            begun = session.get_one(PredictionSet, set_id)
            add_chunks(session, begun, chunks)
            if described is not None:
                add_task(session, begun, described)


def _chunks(name: str, rows: AnswerRows) -> Iterator[_Chunk]:
    for number, start in enumerate(range(0, len(rows), CHUNK_ROWS)):
        yield name, number, encode(rows.slice(start, start + CHUNK_ROWS))


def _stop_if_told(should_stop: ShouldStop) -> None:
    if should_stop():
        raise Stopped("stopped while scoring")
