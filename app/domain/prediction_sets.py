"""Prediction sets: written by a job out of sight, published at once, read by where a row stands.

A set belongs to its job until it is published. Of a version's published sets that are ranked, the
newest that has a task is what the ranking of that task reads, so that publishing one is the switch
from the old answers to the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from app.db.tables import (
    Dataset,
    Job,
    ModelVersion,
    PredictionChunk,
    PredictionSet,
    PredictionSetTask,
)
from app.domain.prediction_chunks import CHUNK_ROWS, AnswerRows, decode
from app.errors import NotFound
from app.jobs.clock import database_now
from app.jobs.states import TERMINAL
from model.distributions import Distribution, Scale
from model.tasks import Task

CHUNKS_AT_ONCE = 64
"""How many chunks are written or removed in one transaction, so that nobody waits long for it."""


@dataclass(frozen=True)
class SetTask:
    """A task of a set: how many rows it has, and how to read them.

    Attributes:
        set_id: of the set.
        task: as the version was trained on it.
        rows: how many.
        scale: see `Distribution`.
        classes: see `Distribution`.
    """

    set_id: int
    task: Task
    rows: int
    scale: Scale
    classes: tuple[str, ...]

    def distribution(self, rows: AnswerRows) -> Distribution | None:
        """What the rows say; None where only their answers are known."""
        return None if rows.parameters is None else self.told(rows.parameters)

    def told(self, parameters: NDArray[np.float32]) -> Distribution:
        """What (R, P) parameters say."""
        return Distribution(self.task, parameters.astype(np.float64), self.scale, self.classes)


@dataclass(frozen=True)
class FoundSet:
    """A published set and the number of its version."""

    prediction_set: PredictionSet
    version: int


def begin_set(
    session: Session, *, dataset_id: int, job_id: str | None, cutoff_at: datetime, ranked: bool
) -> PredictionSet:
    """A new, empty set that nobody sees; what earlier runs of its job have begun is given up."""
    if job_id is not None:
        for earlier in session.scalars(
            select(PredictionSet).where(
                PredictionSet.job_id == job_id, PredictionSet.published_at.is_(None)
            )
        ):
            withdraw(earlier)
    begun = PredictionSet(
        dataset_id=dataset_id, job_id=job_id, cutoff_at=cutoff_at, ranked=ranked, rows=0, bytes=0
    )
    session.add(begun)
    session.flush()
    return begun


def add_task(session: Session, prediction_set: PredictionSet, described: SetTask) -> None:
    """Say how the rows of a task of this set are read."""
    session.add(
        PredictionSetTask(
            prediction_set_id=prediction_set.id,
            task=described.task.name,
            rows=described.rows,
            scale=asdict(described.scale),
            classes=list(described.classes),
        )
    )
    prediction_set.rows += described.rows


def add_chunks(
    session: Session, prediction_set: PredictionSet, chunks: Iterable[tuple[str, int, bytes]]
) -> None:
    """Store some chunks, as (task, number, content)."""
    size = 0
    rows: list[dict[str, object]] = []
    for task, number, content in chunks:
        size += len(content)
        rows.append(
            {
                "prediction_set_id": prediction_set.id,
                "task": task,
                "number": number,
                "content": content,
            }
        )
    if rows:
        session.execute(insert(PredictionChunk), rows)
        prediction_set.bytes += size


def publish_set(session: Session, prediction_set: PredictionSet, version: ModelVersion) -> None:
    """Let the version answer with this set; the dataset must be locked, so that sets take turns."""
    prediction_set.model_version_id = version.id
    prediction_set.published_at = database_now(session)
    version.predictions_removed_at = None
    session.flush()


def withdraw(prediction_set: PredictionSet) -> None:
    """Let nobody see it any more; `remove_withdrawn` removes what it holds."""
    prediction_set.published_at = None
    prediction_set.job_id = None
    prediction_set.model_version_id = None


def remove_withdrawn(session: Session) -> int:
    """Remove a piece of what no set shows: of withdrawn sets, and of those of jobs that failed.

    Returns:
        How many chunks and sets were removed; 0 once there are no more.
    """
    ended = select(Job.id).where(Job.state.in_(TERMINAL))
    given_up = select(PredictionSet.id).where(
        PredictionSet.published_at.is_(None),
        PredictionSet.job_id.is_(None) | PredictionSet.job_id.in_(ended),
    )
    found = session.scalar(given_up.order_by(PredictionSet.id).limit(1))
    if found is None:
        return 0
    own = select(PredictionChunk.task, PredictionChunk.number)
    own = own.where(PredictionChunk.prediction_set_id == found).limit(CHUNKS_AT_ONCE)
    chunks = session.execute(own).all()
    for task, number in chunks:
        session.execute(
            delete(PredictionChunk).where(
                PredictionChunk.prediction_set_id == found,
                PredictionChunk.task == task,
                PredictionChunk.number == number,
            )
        )
    if len(chunks) < CHUNKS_AT_ONCE:
        session.execute(delete(PredictionSet).where(PredictionSet.id == found))
    return max(len(chunks), 1)


def get_set(session: Session, dataset: Dataset, set_id: int) -> FoundSet:
    """The published set of this id.

    Raises:
        NotFound: there is none, or none any more.
    """
    row = session.execute(_published(dataset).where(PredictionSet.id == set_id)).one_or_none()
    if row is None:
        raise NotFound(
            f"no prediction set {set_id} of dataset {dataset.name!r}, or none any more: "
            f"GET /v1/datasets/{dataset.name}/prediction-sets lists them",
            code="prediction_set_not_found",
        )
    return FoundSet(*row)


def set_of_job(session: Session, dataset: Dataset, job_id: str) -> FoundSet | None:
    """What a job has published; None if nothing, or nothing any more."""
    query = _published(dataset).where(PredictionSet.job_id == job_id)
    row = session.execute(query.order_by(PredictionSet.id.desc()).limit(1)).one_or_none()
    return None if row is None else FoundSet(*row)


def list_sets(session: Session, dataset: Dataset, before: int | None, limit: int) -> list[FoundSet]:
    """Published sets below the id `before`, the newest first, one more than `limit` if any."""
    query = _published(dataset)
    if before is not None:
        query = query.where(PredictionSet.id < before)
    rows = session.execute(query.order_by(PredictionSet.id.desc()).limit(limit + 1))
    return [FoundSet(*row) for row in rows]


def sets_of_version(session: Session, version: ModelVersion) -> Sequence[PredictionSet]:
    """All published sets of a version, the newest first."""
    query = select(PredictionSet).where(
        PredictionSet.model_version_id == version.id, PredictionSet.published_at.is_not(None)
    )
    return session.scalars(query.order_by(*_NEWEST_FIRST)).all()


def current_set(session: Session, version: ModelVersion, task: str) -> PredictionSet | None:
    """What the version's ranking of this task reads; None if it has no answers."""
    query = select(PredictionSet).join(
        PredictionSetTask, PredictionSetTask.prediction_set_id == PredictionSet.id
    )
    query = query.where(
        PredictionSet.model_version_id == version.id,
        PredictionSet.published_at.is_not(None),
        PredictionSet.ranked,
        PredictionSetTask.task == task,
    )
    return session.scalar(query.order_by(*_NEWEST_FIRST).limit(1))


def superseded_sets(session: Session, published_before: datetime) -> list[PredictionSet]:
    """Sets published before this that no ranking reads."""
    used = _sets_in_use(session)
    query = select(PredictionSet).where(PredictionSet.published_at < published_before)
    return [old for old in session.scalars(query) if old.id not in used]


def rows_by_task(session: Session, prediction_set: PredictionSet) -> dict[str, int]:
    """How many rows each task of a set has, by the task's name."""
    query = select(PredictionSetTask.task, PredictionSetTask.rows)
    query = query.where(PredictionSetTask.prediction_set_id == prediction_set.id)
    return {row.task: row.rows for row in session.execute(query.order_by(PredictionSetTask.task))}


def tasks_of_set(
    session: Session, prediction_set: PredictionSet, trained: dict[str, Task]
) -> dict[str, SetTask]:
    """The tasks of a set by name, in the order in which the version has them."""
    query = select(PredictionSetTask).where(
        PredictionSetTask.prediction_set_id == prediction_set.id
    )
    rows = {row.task: row for row in session.scalars(query)}
    return {
        name: SetTask(
            prediction_set.id,
            task,
            rows[name].rows,
            Scale(**rows[name].scale),
            tuple(rows[name].classes),
        )
        for name, task in trained.items()
        if name in rows
    }


def read_rows(
    session: Session, set_id: int, task: str, start: int, stop: int
) -> Iterator[AnswerRows]:
    """The rows of a task from one place to another, chunk by chunk, the smallest point first."""
    query = select(PredictionChunk.number, PredictionChunk.content).where(
        PredictionChunk.prediction_set_id == set_id,
        PredictionChunk.task == task,
        PredictionChunk.number >= start // CHUNK_ROWS,
        PredictionChunk.number <= (stop - 1) // CHUNK_ROWS,
    )
    for number, content in session.execute(query.order_by(PredictionChunk.number)):
        first = number * CHUNK_ROWS
        rows = decode(content)
        yield rows.slice(max(start - first, 0), min(stop - first, len(rows)))


_NEWEST_FIRST = (PredictionSet.published_at.desc(), PredictionSet.id.desc())


def _published(dataset: Dataset) -> Select[PredictionSet, int]:
    query = select(PredictionSet, ModelVersion.number)
    query = query.join(ModelVersion, ModelVersion.id == PredictionSet.model_version_id)
    return query.where(
        PredictionSet.dataset_id == dataset.id, PredictionSet.published_at.is_not(None)
    )


def _sets_in_use(session: Session) -> set[int]:
    """The sets that a ranking reads."""
    query = select(PredictionSet.id, PredictionSet.model_version_id, PredictionSetTask.task)
    query = query.join(PredictionSetTask, PredictionSetTask.prediction_set_id == PredictionSet.id)
    query = query.where(PredictionSet.published_at.is_not(None), PredictionSet.ranked)
    newest: dict[tuple[int | None, str], int] = {}
    for set_id, version_id, task in session.execute(query.order_by(*_NEWEST_FIRST)):
        newest.setdefault((version_id, task), set_id)
    return set(newest.values())
