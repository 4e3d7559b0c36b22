"""Answers out of prediction sets, ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.db.tables import Dataset, ModelVersion, PredictionSet
from app.domain.model_versions import get_version, trained_tasks
from app.domain.prediction_chunks import AnswerRows
from app.domain.prediction_sets import (
    SetTask,
    current_set,
    get_set,
    read_rows,
    tasks_of_set,
)
from app.errors import Conflict, NotFound
from model.tasks import Task


class Entity(NamedTuple):
    """Whom a prediction is for: a user, an item, or a user with an item."""

    entity_id: str
    item_id: str = ""


class Answer(NamedTuple):
    """One task's prediction for one entity."""

    task: str
    entity: Entity
    point: float
    cold_start: bool
    distribution: dict[str, Any]


@dataclass(frozen=True)
class Ranking:
    """Where a ranking reads: a task of a set; it never changes, so that a place is a cursor.

    Attributes:
        task: what is ranked; None if no set has it.
        version: the number of the version that answers.
        cutoff_at: when its answers were made at.
    """

    task: SetTask | None
    version: int
    cutoff_at: datetime


def current_ranking(session: Session, version: ModelVersion, task: Task) -> Ranking:
    """What a ranking reads now.

    Raises:
        Conflict: the version's predictions are no longer stored.
    """
    found = current_set(session, version, task.name)
    if found is None:
        if version.predictions_removed_at is not None:
            raise _removed(version)
        return Ranking(None, version.number, version.cutoff_at)
    return _ranking(session, found, version.number, task)


def ranking_of_set(session: Session, dataset: Dataset, set_id: int, task: str) -> Ranking:
    """What the ranking reads that began with this set.

    Raises:
        NotFound: the set was removed meanwhile, or does not have the task.
    """
    found = get_set(session, dataset, set_id)
    trained = trained_tasks(get_version(session, dataset, found.version))
    if task not in trained:
        raise NotFound(
            f"prediction set {set_id} has no task {task!r}", code="prediction_set_not_found"
        )
    return _ranking(session, found.prediction_set, found.version, trained[task])


def rank(
    session: Session, ranking: Ranking, *, start: int, limit: int, descending: bool = True
) -> list[Answer]:
    """Answers of a task by their point, one more than `limit` if there are more.

    Args:
        session: to read them in.
        ranking: where.
        start: how many answers come before.
        limit: how many.
        descending: the largest point first; equal points are ordered by their ids.
    """
    if ranking.task is None:
        return []
    of_task = ranking.task
    stop = min(start + limit + 1, of_task.rows)
    if start >= stop:
        return []
    if descending:
        start, stop = of_task.rows - stop, of_task.rows - start
    chunks = read_rows(session, of_task.set_id, of_task.task.name, start, stop)
    answers = [answer for rows in chunks for answer in answers_of_rows(of_task, rows)]
    return answers[::-1] if descending else answers


def answers_of_rows(of_task: SetTask, rows: AnswerRows) -> Iterator[Answer]:
    """The answers of some rows, in their order."""
    distribution = of_task.distribution(rows)
    answers = distribution.answers() if distribution is not None else rows.answers or []
    items = [""] * len(rows) if rows.item_ids is None else rows.item_ids.to_pylist()
    return (
        Answer(of_task.task.name, Entity(entity_id, item_id), point, cold_start, answer)
        for entity_id, item_id, point, cold_start, answer in zip(
            rows.entity_ids.to_pylist(),
            items,
            rows.point.tolist(),
            rows.cold_start.tolist(),
            answers,
            strict=True,
        )
    )


def _ranking(session: Session, found: PredictionSet, version: int, task: Task) -> Ranking:
    of_task = tasks_of_set(session, found, {task.name: task}).get(task.name)
    return Ranking(of_task, version, found.cutoff_at)


def _removed(version: ModelVersion) -> Conflict:
    return Conflict(
        f"the stored predictions of model version {version.number} were removed, since newer "
        "versions have taken its place: a prediction job stores new ones; or ask it entity by "
        "entity, or rank by another version",
        code="predictions_removed",
    )
