"""Answers under stated outcomes as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from app.api.conditional_schemas import StatedRequest
from app.api.predicting import head_of, invalid
from app.api.prediction_formats import Encode
from app.domain.conditional import Reasoned, Statement, answer_given
from app.domain.predictions import Basis, Question, answers_of
from app.domain.stored_predictions import Entity
from model.prediction.conditional import Joint
from model.prediction.explanation import Explanation


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


def rows_given(basis: Basis, question: Question, statement: Statement) -> bytes:
    """All answers as JSON, one object for each."""
    found = answer_given(basis, question, statement)
    predictions = b",".join(map(orjson.dumps, _predictions(basis, found)))
    content = b'{"predictions":[' + predictions + b"]"
    if statement.outcomes:
        joints = b",".join(map(orjson.dumps, _joints(basis, question, found)))
        content += b',"joint":[' + joints + b"]"
    return content + b"}"


def encoded_given(encode: Encode, basis: Basis, question: Question, statement: Statement) -> bytes:
    """All predictions given what is stated, in another form, for a request that asks no more."""
    return encode(basis, answer_given(basis, question, statement).predictions)


def one_given(basis: Basis, question: Question, statement: Statement) -> bytes:
    """The only answer as JSON."""
    return orjson.dumps(next(_predictions(basis, answer_given(basis, question, statement))))


def _predictions(basis: Basis, found: Reasoned) -> Iterator[dict[str, Any]]:
    for told in found.predictions:
        reasons = found.explanations[told.task.entity]
        for row, one in enumerate(answers_of(told)):
            document = {
                **head_of(told.task, one.entity, basis),
                "cold_start": one.cold_start,
                "point": one.point,
                **one.distribution,
            }
            if reasons:
                document["explanation"] = _explanation(reasons[row][told.task.name])
            yield document


def _explanation(found: Explanation) -> dict[str, Any]:
    return {
        "unit": found.unit,
        "average": found.average,
        "groups": [{"group": name, "contribution": value} for name, value in found.groups.items()],
        "evidence": [
            {"task": name, "contribution": value} for name, value in found.evidence.items()
        ],
        "prediction": found.prediction,
    }


def _joints(basis: Basis, question: Question, found: Reasoned) -> Iterator[dict[str, Any]]:
    for kind, joints in found.joints.items():
        entities = iter(question.entities[kind])
        for joint in joints:
            for row in range(len(joint.log_probability)):
                yield _joint(basis, next(entities), joint, row)


def _joint(basis: Basis, entity: Entity, joint: Joint, row: int) -> dict[str, Any]:
    first = basis.model.tasks[joint.order[0]]
    head = head_of(first, entity, basis)
    del head["task"]
    total = float(joint.log_probability[row])
    return {
        **head,
        "log_probability": total,
        "independent_log_probability": float(joint.independent_log_probability[row]),
        "inconsistency": abs(float(joint.reversed_log_probability[row]) - total),
        "terms": [
            {
                "task": name,
                "log_probability": float(joint.terms[name][row]),
                "marginal_log_probability": float(joint.marginals[name][row]),
                "is_density": name in joint.densities,
            }
            for name in joint.order
        ],
    }
