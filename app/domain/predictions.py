"""Answer tasks for entities: what is stored is read, the rest is computed in process.

That takes two steps. `look_up` reads the stored answers in a transaction and notes where the model
and the dataset's log are; `complete` computes what is missing after the transaction has ended,
because the first answer of a model has to load both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from app.db.tables import Dataset, ModelVersion, TaskRow
from app.domain.model_versions import trained_tasks
from app.domain.predictors import LoadedModel, ModelCache, ModelSource, source_of
from app.domain.stored_predictions import Answer, Entity, read_stored
from app.domain.tasks import all_tasks
from app.errors import FieldError, NotFound
from model.events import EventLog
from model.prediction import Predictions
from model.tasks import EntityKind, Task

_SHOWN_UNKNOWN = 100
_SHOWN_VALUES = 20

Key = tuple[str, Entity]
"""A task's name and whom it is answered for."""


@dataclass(frozen=True)
class Question:
    """Some tasks for some entities: each task for the entities of its own kind.

    Attributes:
        tasks: in the order of the answers.
        entities: of each kind, in the order of the answers.
        is_in_url: whether the only entity stands in the URL, not in the request's body.
    """

    tasks: Sequence[Task]
    entities: dict[EntityKind, list[Entity]]
    is_in_url: bool = False

    def asked(self) -> Iterator[Key]:
        """All that is asked, in the order of the answers."""
        for task in self.tasks:
            for entity in self.entities.get(task.entity, ()):
                yield task.name, entity

    def names(self, kind: EntityKind) -> list[str]:
        """The tasks for this kind of entity."""
        return [task.name for task in self.tasks if task.entity == kind]


@dataclass(frozen=True)
class Found:
    """What is stored of a question's answers.

    Attributes:
        version: the number of the version that answers.
        cutoff_at: when its answers were made at.
        source: what the missing answers are computed from; None if none is missing.
    """

    question: Question
    version: int
    cutoff_at: datetime
    stored: dict[Key, Answer]
    source: ModelSource | None


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


def look_up(
    session: Session, dataset: Dataset, version: ModelVersion, question: Question, data_dir: Path
) -> Found:
    """Read the stored answers; what is missing is noted with where its model is."""
    stored: dict[Key, Answer] = {}
    for kind, entities in question.entities.items():
        for answer in read_stored(session, version, question.names(kind), entities):
            stored[answer.task, answer.entity] = answer
    is_complete = all(key in stored for key in question.asked())
    source = None if is_complete else source_of(session, dataset, version, data_dir)
    return Found(question, version.number, version.cutoff_at, stored, source)


def complete(found: Found, models: ModelCache) -> list[Answer]:
    """All answers in the order of the question.

    Raises:
        NotFound: the dataset does not know some of the entities; `errors` points to them.
        Unavailable: the model or the log cannot be read.
    """
    answers = dict(found.stored)
    if found.source is not None:
        model = models.load(found.source)
        _check_entities(found.question, found.source, model.log)
        for answer in _compute(found, model):
            answers.setdefault((answer.task, answer.entity), answer)
    return [answers[key] for key in found.question.asked()]


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


def _compute(found: Found, model: LoadedModel) -> Iterator[Answer]:
    for kind, entities in found.question.entities.items():
        names = found.question.names(kind)
        missing = [
            entity
            for entity in dict.fromkeys(entities)
            if any((name, entity) not in found.stored for name in names)
        ]
        if not missing:
            continue
        for predictions in _predict(model, kind, names, missing):
            yield from answers_of(predictions)


def _predict(
    model: LoadedModel, kind: EntityKind, names: Sequence[str], entities: Sequence[Entity]
) -> Iterator[Predictions]:
    if kind == "pair":
        yield from model.predictor.predict_pairs(model.log, names, entities).values()
    else:
        ids = [entity.entity_id for entity in entities]
        yield from model.predictor.predict(model.log, names, ids).values()


def _check_entities(question: Question, source: ModelSource, log: EventLog) -> None:
    """All unknown ones are told at once.

    Raises:
        NotFound: there are some.
    """
    unknown = [fault for kind in question.entities for fault in _unknown(question, kind, log)]
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise NotFound(
            f"{unknown[0].detail}{more}: it is in no event and in no table of dataset "
            f"{source.dataset_name!r}. Import it, then ask again",
            code="entity_not_found",
            errors=tuple(unknown[:_SHOWN_UNKNOWN]),
        )


def _unknown(question: Question, kind: EntityKind, log: EventLog) -> Iterator[FieldError]:
    entities = question.entities[kind]
    if kind != "item":
        known = log.users.codes([entity.entity_id for entity in entities]) >= 0
        for row in np.flatnonzero(~known).tolist():
            detail = f"unknown user {entities[row].entity_id!r}"
            yield FieldError(_pointer(question, kind, row, "user"), detail, "unknown_user")
    if kind != "user":
        ids = [entity.item_id if kind == "pair" else entity.entity_id for entity in entities]
        for row in np.flatnonzero(log.items.codes(ids) < 0).tolist():
            detail = f"unknown item {ids[row]!r}"
            yield FieldError(_pointer(question, kind, row, "item"), detail, "unknown_item")


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
