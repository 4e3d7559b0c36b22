"""Predictions over HTTP: of one entity, of many at once, and ranked.

They are of the version's cutoff. What was stored when the version was published is read; pairs and
whoever came later are computed by the model in this process.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query

from app.api.dependencies import (
    AppSettings,
    DatasetName,
    Models,
    ReadSession,
    SessionFactory,
    TaskName,
)
from app.api.pagination import Key, Page, PageRequest, Pagination
from app.api.prediction_schemas import (
    MAX_ANSWERS,
    REQUEST_EXAMPLES,
    Id,
    Prediction,
    PredictionList,
    PredictionRequest,
    shown,
)
from app.db.engine import transaction
from app.domain import predictions
from app.domain.aliases import find_version
from app.domain.datasets import get_dataset
from app.domain.model_versions import CHAMPION, trained_tasks
from app.domain.predictions import Found, Question
from app.domain.predictors import ModelCache
from app.domain.stored_predictions import Entity, rank
from app.errors import FieldError, Invalid
from model.tasks import EntityKind, Task

router = APIRouter(tags=["predictions"], prefix="/datasets/{dataset}")


Version = Annotated[
    str,
    Query(
        pattern=r"^([0-9]{1,9}|[a-z][a-z0-9_-]{0,62})$",
        description="number of a model version, or an alias",
        examples=["champion", "2"],
    ),
]
EntityId = Annotated[Id, Path(description="id of the user or item; of the user where it is a pair")]
ItemId = Annotated[Id | None, Query(description="id of the item, for tasks about pairs")]
UserFilter = Annotated[
    Id | None, Query(description="only this user's items, for tasks about pairs")
]
Order = Literal["desc", "asc"]


@router.get(
    "/tasks/{task}/predictions/{entity_id:path}",
    operation_id="getPrediction",
    summary="A prediction for one entity",
)
def get_prediction(
    sessions: SessionFactory,
    settings: AppSettings,
    models: Models,
    dataset: DatasetName,
    task: TaskName,
    entity_id: EntityId,
    item: ItemId = None,
    version: Version = CHAMPION,
) -> Prediction:
    """What the model says about one user, item, or user with an item."""
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, dataset)
        chosen = find_version(session, row, version, [task])
        (asked,) = predictions.choose_tasks(session, row, chosen, [task])
        entity = _entity(asked, entity_id, item)
        question = Question([asked], {asked.entity: [entity]}, is_in_url=True)
        found = predictions.look_up(session, row, chosen, question, settings.data_dir)
    return _answers(found, models)[0]


@router.get(
    "/tasks/{task}/predictions",
    operation_id="rankPredictions",
    summary="Entities ranked by a prediction",
)
def rank_predictions(
    session: ReadSession,
    pagination: Pagination,
    dataset: DatasetName,
    task: TaskName,
    order: Annotated[Order, Query(description="the largest point first, or the smallest")] = "desc",
    user: UserFilter = None,
    version: Version = CHAMPION,
) -> Page[Prediction]:
    """All users or items by their point; of pairs the best items of each user.

    The pages go on with the version of the first one, also when the alias is moved meanwhile.
    """
    row = get_dataset(session, dataset)
    after = _place(pagination, order)
    chosen = find_version(session, row, version if after is None else str(after[0]), [task])
    (asked,) = predictions.choose_tasks(session, row, chosen, [task])
    if user is not None and asked.entity != "pair":
        raise _invalid("/query/user", f"task {task!r} is for {asked.entity}s: leave `user` out")
    answers = rank(
        session,
        chosen,
        task,
        limit=pagination.limit,
        descending=order == "desc",
        after=None if after is None else (after[1], after[2]),
        user=user,
    )
    return pagination.page(
        answers,
        lambda answer: shown(answer, asked, chosen.number, chosen.cutoff_at),
        lambda answer: [chosen.number, order, answer.point, *answer.entity],
    )


@router.post(
    "/predictions",
    operation_id="predict",
    summary="Several tasks for several entities",
)
def predict(
    sessions: SessionFactory,
    settings: AppSettings,
    models: Models,
    dataset: DatasetName,
    body: Annotated[PredictionRequest, Body(openapi_examples=REQUEST_EXAMPLES)],
    version: Version = CHAMPION,
) -> PredictionList:
    """Each task is answered for the given entities of its kind, up to 10,000 answers in all.

    User tasks are answered for `users`, item tasks for `items`, pair tasks for `pairs`. The answers
    come task by task in the order of `tasks`, entities in the order given. If one entity is
    unknown nothing is answered, and `errors` points to all that are.
    """
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, dataset)
        chosen = find_version(session, row, version, body.tasks or ())
        given = _given(body)
        names = body.tasks or [
            name for name, task in trained_tasks(chosen).items() if task.entity in given
        ]
        asked = predictions.choose_tasks(session, row, chosen, list(dict.fromkeys(names)))
        question = _checked(Question(asked, given), chosen.number)
        found = predictions.look_up(session, row, chosen, question, settings.data_dir)
    return PredictionList(predictions=_answers(found, models))


def _answers(found: Found, models: ModelCache) -> list[Prediction]:
    tasks = {task.name: task for task in found.question.tasks}
    return [
        shown(answer, tasks[answer.task], found.version, found.cutoff_at)
        for answer in predictions.complete(found, models)
    ]


def _entity(task: Task, entity_id: str, item: str | None) -> Entity:
    if task.entity == "pair" and item is None:
        raise _invalid(
            "/query/item",
            f"task {task.name!r} is about a user with an item: add `?item=` with the item's id",
        )
    if task.entity != "pair" and item is not None:
        raise _invalid("/query/item", f"task {task.name!r} is for {task.entity}s: leave `item` out")
    return Entity(entity_id, item or "")


def _given(body: PredictionRequest) -> dict[EntityKind, list[Entity]]:
    given: dict[EntityKind, list[Entity]] = {
        "user": [Entity(user) for user in body.users],
        "item": [Entity(item) for item in body.items],
        "pair": [Entity(pair.user, pair.item) for pair in body.pairs],
    }
    return {kind: entities for kind, entities in given.items() if entities}


def _checked(question: Question, version: int) -> Question:
    """The question, if every task has entities, every entity a task, and it is not too large."""
    kinds = {task.entity for task in question.tasks}
    if not question.entities:
        raise _invalid("/body", "for whom? Give `users`, `items` or `pairs`")
    for place, task in enumerate(question.tasks):
        if task.entity not in question.entities:
            raise _invalid(
                f"/body/tasks/{place}", f"task {task.name!r} is for {task.entity}s: give some"
            )
    for kind in question.entities:
        if kind not in kinds:
            raise _invalid(
                f"/body/{kind}s",
                f"no task for {kind}s is asked (model version {version}): leave `{kind}s` out "
                "or add such a task",
            )
    size = sum(1 for _ in question.asked())
    if size > MAX_ANSWERS:
        raise _invalid(
            "/body",
            f"{size} answers are asked; at most {MAX_ANSWERS} at once: ask in several calls",
        )
    return question


def _place(pagination: PageRequest, order: Order) -> tuple[int, float, Entity] | None:
    """Version, point and entity after which the page begins."""
    key: Key | None = pagination.after
    if key is None:
        return None
    match key:
        case [int(number), str(ordered), float(point), str(entity_id), str(item_id)]:
            if ordered == order and "\x00" not in entity_id + item_id:
                return number, point, Entity(entity_id, item_id)
    raise _invalid("/query/cursor", f"not a cursor of this ranking in order {order!r}")


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail, "invalid"),))
