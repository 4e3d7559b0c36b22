"""Predictions over HTTP: of one entity, of many at once, and ranked.

Of named entities they are computed as of now by the model in this process. A ranking reads what was
stored when the version was published.
"""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Body, Path, Query, Response

from app.api.dependencies import DatasetName, Predictors, ReadSession, TaskName
from app.api.pagination import Key, Page, PageRequest, Pagination
from app.api.predicting import head_of, invalid
from app.api.prediction_questions import question_of
from app.api.prediction_schemas import (
    REQUEST_EXAMPLES,
    Id,
    Prediction,
    PredictionList,
    PredictionRequest,
    shown,
)
from app.domain.aliases import find_version
from app.domain.datasets import get_dataset
from app.domain.model_versions import CHAMPION
from app.domain.predictions import Basis, Question, answer, answers_of, choose_tasks
from app.domain.stored_predictions import Entity, rank
from app.errors import NotFound

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
AsOf = Annotated[
    str | None,
    Query(
        max_length=64,
        description="when the prediction is made: RFC 3339, or `now`; by default the time of the "
        "newest event that the dataset has. Events after it are not looked at",
        examples=["2024-05-31T18:30:00Z"],
    ),
]
Order = Literal["desc", "asc"]


@router.get(
    "/tasks/{task}/predictions/{entity_id:path}",
    operation_id="getPrediction",
    summary="A prediction for one entity",
    response_model=Prediction,
)
async def get_prediction(
    predicting: Predictors,
    dataset: DatasetName,
    task: TaskName,
    entity_id: EntityId,
    item: ItemId = None,
    version: Version = CHAMPION,
    as_of: AsOf = None,
) -> Response:
    """What the model says about one user, item, or user with an item, as of now.

    It is computed from the entity's events up to `as_of`; those that were posted count at once.
    """
    return json_response(await predicting.single(dataset, task, entity_id, item, version, as_of))


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
    (asked,) = choose_tasks(session, row, chosen, [task])
    if user is not None and asked.entity != "pair":
        raise invalid("/query/user", f"task {task!r} is for {asked.entity}s: leave `user` out")
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
    response_model=PredictionList,
)
async def predict(
    predicting: Predictors,
    dataset: DatasetName,
    body: Annotated[PredictionRequest, Body(openapi_examples=REQUEST_EXAMPLES)],
    version: Version = CHAMPION,
    as_of: AsOf = None,
) -> Response:
    """Each task is answered for the given entities of its kind, up to 10,000 entities in all.

    User tasks are answered for `users`, item tasks for `items`, pair tasks for `pairs`. The answers
    come task by task in the order of `tasks`, entities in the order given. If one entity is
    unknown nothing is answered, and `errors` points to all that are.
    """
    basis = await predicting.basis(dataset, version, body.tasks or (), as_of)
    question = question_of(body, basis)
    try:
        content = await predicting.in_batch(lambda: _rows(basis, question))
    except NotFound:
        settled = await predicting.settled(basis, question, as_of)
        content = await predicting.in_batch(lambda: _rows(settled, question))
    return json_response(content)


def _rows(basis: Basis, question: Question) -> bytes:
    """All answers as JSON, one object for each."""
    pieces = []
    for told in answer(basis, question):
        task = told.task
        for one in answers_of(told):
            document = {
                **head_of(task, one.entity, basis),
                "cold_start": one.cold_start,
                "point": one.point,
                **one.distribution,
            }
            pieces.append(orjson.dumps(document))
    return b'{"predictions":[' + b",".join(pieces) + b"]}"


def _place(pagination: PageRequest, order: Order) -> tuple[int, float, Entity] | None:
    """Version, point and entity after which the page begins."""
    key: Key | None = pagination.after
    if key is None:
        return None
    match key:
        case [int(number), str(ordered), float(point), str(entity_id), str(item_id)]:
            if ordered == order and "\x00" not in entity_id + item_id:
                return number, point, Entity(entity_id, item_id)
    raise invalid("/query/cursor", f"not a cursor of this ranking in order {order!r}")


def json_response(content: bytes) -> Response:
    """What is JSON already."""
    return Response(content, media_type="application/json")
