"""The answers that a model version has given for everybody when it was published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, Select, Table, select, tuple_
from sqlalchemy.orm import Session

from app.db.bulk import insert_many
from app.db.tables import ModelVersion, Prediction
from app.errors import Conflict

_IDS_PER_QUERY = 1_000


class Entity(NamedTuple):
    """Whom a prediction is for: a user, an item, or a user with an item."""

    entity_id: str
    item_id: str = ""


class Answer(NamedTuple):
    """One task's prediction for one entity, see the prediction table."""

    task: str
    entity: Entity
    point: float
    cold_start: bool
    distribution: dict[str, Any]


def store_predictions(
    session: Session, version: ModelVersion, rows: Iterable[dict[str, Any]]
) -> int:
    """Store a version's answers; returns how many.

    Args:
        session: in whose transaction.
        version: whose answers.
        rows: of the prediction table, without the version.
    """
    table = Prediction.__table__
    assert isinstance(table, Table)
    columns = ("task", "entity_id", "item_id", "point", "cold_start")
    values = (
        (
            version.id,
            *(row[column] for column in columns),
            orjson.dumps(row["distribution"]).decode(),
        )
        for row in rows
    )
    return insert_many(session, table, ("model_version_id", *columns, "distribution"), values)


def read_stored(
    session: Session, version: ModelVersion, tasks: Sequence[str], entities: Sequence[Entity]
) -> Iterator[Answer]:
    """Those answers of these tasks for these entities that are stored, in no order."""
    wanted = set(entities)
    ids = sorted({entity.entity_id for entity in entities})
    for start in range(0, len(ids), _IDS_PER_QUERY):
        chunk = ids[start : start + _IDS_PER_QUERY]
        query = _of_version(version).where(
            Prediction.task.in_(tasks), Prediction.entity_id.in_(chunk)
        )
        answers = (_answer(row) for row in session.execute(query))
        yield from (answer for answer in answers if answer.entity in wanted)


def rank(
    session: Session,
    version: ModelVersion,
    task: str,
    *,
    limit: int,
    descending: bool = True,
    after: tuple[float, Entity] | None = None,
    user: str | None = None,
) -> list[Answer]:
    """Answers of a task by their point, one more than `limit` if there are more.

    Args:
        session: to read them in.
        version: whose answers.
        task: its name.
        limit: how many.
        descending: the largest point first; equal points are ordered by their ids.
        after: point and entity of the last answer of the page before.
        user: only the pairs of this user.

    Raises:
        Conflict: the version's predictions are no longer stored.
    """
    if version.predictions_removed_at is not None:
        raise Conflict(
            f"the stored predictions of model version {version.number} were removed, since newer "
            "versions have taken its place: ask it entity by entity, or rank by another version",
            code="predictions_removed",
        )
    key = (Prediction.point, Prediction.entity_id, Prediction.item_id)
    query = _of_version(version).where(Prediction.task == task)
    if user is not None:
        query = query.where(Prediction.entity_id == user)
    if after is not None:
        point, entity = after
        last = (point, *entity)
        query = query.where(tuple_(*key) < last if descending else tuple_(*key) > last)
    order = [column.desc() if descending else column.asc() for column in key]
    return [_answer(row) for row in session.execute(query.order_by(*order).limit(limit + 1))]


_Columns = tuple[str, str, str, float, bool, dict[str, Any]]


def _of_version(version: ModelVersion) -> Select[*_Columns]:
    query = select(
        Prediction.task,
        Prediction.entity_id,
        Prediction.item_id,
        Prediction.point,
        Prediction.cold_start,
        Prediction.distribution,
    )
    return query.where(Prediction.model_version_id == version.id)


def _answer(row: Row[*_Columns]) -> Answer:
    task, entity_id, item_id, point, cold_start, distribution = row
    return Answer(task, Entity(entity_id, item_id), point, cold_start, distribution)
