"""From the body of a request to what is asked, and whether it makes sense."""

from __future__ import annotations

from app.api.conditional_schemas import StatedRequest
from app.api.predicting import invalid
from app.api.prediction_schemas import MAX_ANSWERS, MAX_ENTITIES, PredictionRequest
from app.domain.asked_entities import AskedEntities
from app.domain.conditional import Statement
from app.domain.predictions import Basis, Question
from model.tasks import EntityKind


def question_of(body: PredictionRequest, basis: Basis) -> Question:
    """What is asked, of a version that knows the tasks.

    Raises:
        Invalid: a task has no entities, entities have no task, or it is too large.
    """
    given, tasks = _given(body), basis.model.tasks
    names = body.tasks or [
        name for name, task in tasks.items() if task.entity in given and name not in body.given
    ]
    asked = [tasks[name] for name in dict.fromkeys(names)]
    return _checked(Question(asked, given), basis.model.number)


def statement_of(body: StatedRequest) -> Statement | None:
    """What a request states; None for one that asks plainly.

    Raises:
        Invalid: outcomes are stated and not asked about, or asked about and not stated.
    """
    if body.joint and not body.outcomes:
        raise invalid(
            "/body/outcomes", "of which outcomes is the joint probability asked? State them"
        )
    if body.outcomes and not body.joint:
        raise invalid(
            "/body/joint",
            "outcomes are stated and nothing is asked about them: set `joint` to true, or, if they "
            "are known, state them as `given`",
        )
    if not body.given and not body.joint and not body.explain:
        return None
    return Statement(body.given, body.outcomes, body.explain)


def _given(body: PredictionRequest) -> dict[EntityKind, AskedEntities]:
    given: dict[EntityKind, AskedEntities] = {
        "user": AskedEntities(body.users),
        "item": AskedEntities(body.items),
        "pair": AskedEntities(
            [pair.user for pair in body.pairs], [pair.item for pair in body.pairs]
        ),
    }
    return {kind: entities for kind, entities in given.items() if len(entities)}


def _checked(question: Question, version: int) -> Question:
    """The question, if every task has entities, every entity a task, and it is not too large."""
    kinds = {task.entity for task in question.tasks}
    if not question.entities:
        raise invalid("/body", "for whom? Give `users`, `items` or `pairs`")
    for place, task in enumerate(question.tasks):
        if task.entity not in question.entities:
            raise invalid(
                f"/body/tasks/{place}", f"task {task.name!r} is for {task.entity}s: give some"
            )
    for kind in question.entities:
        if kind not in kinds:
            raise invalid(
                f"/body/{kind}s",
                f"no task for {kind}s is asked (model version {version}): leave `{kind}s` out "
                "or add such a task",
            )
    entities = sum(map(len, question.entities.values()))
    if entities > MAX_ENTITIES:
        raise invalid(
            "/body",
            f"{entities:,} entities are asked for; at most {MAX_ENTITIES:,} at once: ask in "
            "several calls",
        )
    if question.size > MAX_ANSWERS:
        raise invalid(
            "/body",
            f"{question.size:,} answers are asked; at most {MAX_ANSWERS:,} at once: ask in "
            "several calls",
        )
    return question
