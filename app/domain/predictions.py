"""Answers to questions about entities, computed from the log as of some moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.db.tables import Dataset, ModelVersion, TaskRow
from app.domain.asked_entities import AskedEntities
from app.domain.model_versions import trained_tasks
from app.domain.served import ServedDataset, ServedModel, shown_time
from app.domain.stored_predictions import Answer, Entity
from app.domain.tasks import all_tasks
from app.errors import FieldError, NotFound
from model.prediction import Predictions, chunks
from model.snapshots import Rows
from model.tasks import EntityKind, Task

CHUNK_ROWS = 512
"""So many rows are worked on at a time, so that single predictions go between."""

_SHOWN_UNKNOWN = 100
_SHOWN_VALUES = 20

Longs = NDArray[np.int64]
_Side = Literal["user", "item"]
Codes = dict[_Side, Longs]


@dataclass(frozen=True)
class Question:
    """Some tasks for some entities: each task for the entities of its own kind.

    Attributes:
        tasks: in the order of the answers.
        entities: of each kind, in the order of the answers.
        is_in_url: whether the only entity stands in the URL, not in the request's body.
    """

    tasks: Sequence[Task]
    entities: dict[EntityKind, AskedEntities]
    is_in_url: bool = False

    def names(self, kind: EntityKind) -> list[str]:
        """The tasks for this kind of entity."""
        return [task.name for task in self.tasks if task.entity == kind]

    @property
    def size(self) -> int:
        """How many answers are asked for."""
        return sum(len(self.entities.get(task.entity, ())) for task in self.tasks)


@dataclass(frozen=True)
class Basis:
    """What answers are computed from.

    Attributes:
        dataset: as it was when the request came.
        model: which version of it.
        cutoff_us: no event after it is looked at.
    """

    dataset: ServedDataset
    model: ServedModel
    cutoff_us: int

    @property
    def cutoff_at(self) -> str | None:
        """The cutoff in RFC 3339; None in a log without times."""
        return shown_time(self.cutoff_us) if self.dataset.log.base.has_time else None


def answer(basis: Basis, question: Question) -> Iterator[Predictions]:
    """The answers, task by task in the order of the question.

    Raises:
        NotFound: the dataset does not know some of the entities; `errors` points to them.
    """
    rows = rows_of(basis, question)
    scored = {kind: _score(basis, own) for kind, own in rows.items()}
    for task in question.tasks:
        flat, is_cold = scored[task.entity]
        entities = question.entities[task.entity]
        yield Predictions(
            task=task,
            entity_ids=entities.ids,
            item_ids=entities.item_ids,
            cold_start=is_cold,
            distribution=basis.model.predictor.scorer(task.entity).distribution(task.name, flat),
        )


def rows_of(basis: Basis, question: Question) -> dict[EntityKind, Rows]:
    """The entities of a question in the codes of the log.

    Raises:
        NotFound: see `answer`.
    """
    coded = {
        kind: codes_of(basis.dataset, kind, entities)
        for kind, entities in question.entities.items()
    }
    unknown = [fault for kind, own in coded.items() for fault in _unknown(question, kind, own)]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise NotFound(
            f"{unknown[0].detail}{more}: it is in no event and in no table of dataset "
            f"{basis.dataset.name!r}. Import it, then ask again",
            code="entity_not_found",
            errors=tuple(unknown[:_SHOWN_UNKNOWN]),
        )
    return {
        kind: Rows.of(kind, own.get("user"), own.get("item"), basis.cutoff_us)
        for kind, own in coded.items()
    }


def codes_of(dataset: ServedDataset, kind: EntityKind, entities: AskedEntities) -> Codes:
    """Codes of users, of items, or of both; -1 for unknown ones."""
    log = dataset.log
    if kind != "pair":
        return {kind: log.codes(kind, entities.ids)}
    return {
        "user": log.codes("user", entities.ids),
        "item": log.codes("item", entities.item_ids or []),
    }


def answers_of(predictions: Predictions) -> Iterator[Answer]:
    """What a model says of one task, entity by entity."""
    items = predictions.item_ids or [""] * len(predictions.entity_ids)
    rows = zip(
        map(Entity, predictions.entity_ids, items),
        predictions.point.tolist(),
        predictions.cold_start.tolist(),
        predictions.answers(),
        strict=True,
    )
    return (Answer(predictions.task.name, *row) for row in rows)


def choose_tasks(
    session: Session, dataset: Dataset, version: ModelVersion, names: Sequence[str]
) -> list[Task]:
    """The tasks of these names as the version was trained on them.

    Raises:
        NotFound: it was not; the message says whether a new training would help.
    """
    trained = trained_tasks(version)
    for name in names:
        if name not in trained:
            raise _not_trained_on(name, dataset, version, all_tasks(session, dataset))
    return [trained[name] for name in names]


def _score(basis: Basis, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The flat parameters and who is cold."""
    log, model = basis.dataset.log, basis.model
    scorer = model.predictor.scorer(rows.kind)
    flat = np.empty((len(rows), scorer.layout.columns), dtype=np.float32)
    is_cold = np.empty(len(rows), dtype=bool)
    # Neighbours in the index are read together: few of its pages are looked at for each chunk.
    order = np.argsort(rows.items if rows.kind == "item" else rows.users, kind="stable")
    for part in chunks(len(rows), CHUNK_ROWS):
        places = order[part]
        read = model.reader.read(log, rows.take(places))
        flat[places], is_cold[places] = scorer.score(read, log.base), read.is_cold
    return flat, is_cold


def _unknown(question: Question, kind: EntityKind, coded: Codes) -> Iterator[FieldError]:
    for side, codes in coded.items():
        for row in np.flatnonzero(codes < 0).tolist():
            entity = question.entities[kind][row]
            name = entity.item_id if kind == "pair" and side == "item" else entity.entity_id
            pointer = _pointer(question, kind, row, side)
            yield FieldError(pointer, f"unknown {side} {name!r}", f"unknown_{side}")


def _pointer(question: Question, kind: EntityKind, row: int, part: str) -> str:
    if kind == "pair":
        in_url = "/query/item" if part == "item" else "/path/entity_id"
        return in_url if question.is_in_url else f"/body/pairs/{row}/{part}"
    return "/path/entity_id" if question.is_in_url else f"/body/{kind}s/{row}"


def _not_trained_on(
    name: str, dataset: Dataset, version: ModelVersion, declared: Sequence[TaskRow]
) -> NotFound:
    trained = trained_tasks(version)
    known = ", ".join(sorted(trained))
    values = [task for task in trained.values() if task.declared_as == name]
    if values:
        shown = ", ".join(f"{task.name} ({task.for_each_value})" for task in values[:_SHOWN_VALUES])
        more = ", ..." if len(values) > _SHOWN_VALUES else ""
        return NotFound(
            f"task {name!r} is declared for each {values[0].for_each}: ask for one of its "
            f"{len(values):,} values: {shown}{more}; GET /v1/datasets/{dataset.name}/tasks/{name} "
            "lists them all",
            code="task_for_each",
        )
    if any(task.name == name for task in declared):
        return NotFound(
            f"task {name!r} is declared, but model version {version.number} was not trained on it: "
            f"POST /v1/datasets/{dataset.name}/training-jobs trains a new version, which answers "
            f"once an alias points to it. Version {version.number} answers {known}",
            code="task_not_trained",
        )
    return NotFound(
        f"no task {name!r} in dataset {dataset.name!r}; model version {version.number} "
        f"answers {known}",
        code="task_not_found",
    )
