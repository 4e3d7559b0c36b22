"""Predictions over HTTP: of one entity, and of many at once.

They are computed as of now by the model in this process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Body, Header, Path, Query, Response

from app.api.dependencies import DatasetName, Predictors, TaskName
from app.api.predicting import Predicting, entity_of
from app.api.prediction_formats import ARROW, COLUMNS, PARQUET, row_documents, wire_format
from app.api.prediction_questions import question_of, statement_of
from app.api.prediction_schemas import (
    REQUEST_EXAMPLES,
    Id,
    Prediction,
    PredictionList,
    PredictionRequest,
)
from app.domain.asked_entities import AskedEntities
from app.domain.conditional import Reasoned, Statement, answer_given, check
from app.domain.model_versions import CHAMPION
from app.domain.predictions import Basis, Question, answer
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
AsOf = Annotated[
    str | None,
    Query(
        max_length=64,
        description="when the prediction is made: RFC 3339, or `now`; by default the time of the "
        "newest event that the dataset has. Events after it are not looked at",
        examples=["2024-05-31T18:30:00Z"],
    ),
]
Explain = Annotated[
    bool, Query(description="whether the prediction comes with what each group of inputs adds")
]
_EXPLAIN = Statement(explain=True)
Accept = Annotated[
    str | None, Header(description="the form of the answer", examples=[COLUMNS, ARROW])
]


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
    explain: Explain = False,
) -> Response:
    """What the model says about one user, item, or user with an item, as of now.

    It is computed from the entity's events up to `as_of`; those that were posted count at once.
    """
    if explain:
        basis = await predicting.basis(dataset, version, [task], as_of)
        asked = basis.model.tasks[task]
        whom = entity_of(asked, entity_id, item)
        question = Question([asked], {asked.entity: AskedEntities.alone(whom)}, True)
        _, content = await _with_second_look(predicting, basis, question, as_of, _one_explained)
        return json_response(content)
    return json_response(await predicting.single(dataset, task, entity_id, item, version, as_of))


@router.post(
    "/predictions",
    operation_id="predict",
    summary="Several tasks for several entities",
    response_model=PredictionList,
    responses={200: {"content": {name: {"schema": {}} for name in (COLUMNS, ARROW, PARQUET)}}},
)
async def predict(
    predicting: Predictors,
    dataset: DatasetName,
    body: Annotated[PredictionRequest, Body(openapi_examples=REQUEST_EXAMPLES)],
    version: Version = CHAMPION,
    as_of: AsOf = None,
    accept: Accept = None,
) -> Response:
    """Each task is answered for the given entities of its kind, up to 10,000 entities in all.

    User tasks are answered for `users`, item tasks for `items`, pair tasks for `pairs`. The answers
    come task by task in the order of `tasks`, entities in the order given. If one entity is
    unknown nothing is answered, and `errors` points to all that are.

    Where outcomes of some tasks are known, `given` has the others predicted given them; `joint`
    adds how probable `outcomes` are together; `explain` adds reasons, for up to 100 entities.

    `Accept` chooses between an object for each answer (JSON), a list for each column
    (`application/vnd.ssmtl.columns+json`), and a table of all answers as an Arrow stream or
    Parquet, whose columns are those of a download. With `explain` the table has a nested column
    `explanation` beside them; lists have contributions by the names of groups and tasks. With
    `joint` the table has a nested column `joint`, filled once for each entity of the kinds of
    `outcomes`: in the rows of the kind's first task, null in all others; lists have an object for
    each kind in `joint`.
    """
    return await answered(predicting, dataset, body, version, as_of, accept)


async def answered(
    predicting: Predicting,
    dataset: str,
    body: PredictionRequest,
    version: str = CHAMPION,
    as_of: str | None = None,
    accept: str | None = None,
) -> Response:
    """See `predict`."""
    media_type, encode = wire_format(accept)
    statement = statement_of(body)
    basis = await predicting.basis(dataset, version, body.tasks or (), as_of)
    question = await predicting.in_batch(partial(question_of, body, basis))
    if statement is not None:
        await predicting.in_batch(lambda: check(question, statement, basis))

    def encoded(basis: Basis, question: Question) -> bytes:
        if statement is None:
            return encode(basis, question, Reasoned(answer(basis, question)))
        return encode(basis, question, answer_given(basis, question, statement))

    basis, content = await _with_second_look(predicting, basis, question, as_of, encoded)
    if statement is None and predicting.shadow.wants(basis):
        predicting.shadow.offer(basis, question)
    return Response(content, media_type=media_type)


async def _with_second_look(
    predicting: Predicting,
    basis: Basis,
    question: Question,
    as_of: str | None,
    encoded: Callable[[Basis, Question], bytes],
) -> tuple[Basis, bytes]:
    """The answers, and what gave them; of entities that are not known yet after another look."""
    try:
        return basis, await predicting.in_batch(partial(encoded, basis, question))
    except NotFound:
        basis = await predicting.settled(basis, question, as_of)
        return basis, await predicting.in_batch(partial(encoded, basis, question))


def _one_explained(basis: Basis, question: Question) -> bytes:
    found = answer_given(basis, question, _EXPLAIN)
    return orjson.dumps(next(row_documents(basis, found)))


def json_response(content: bytes) -> Response:
    """What is JSON already."""
    return Response(content, media_type="application/json")
