"""Answers where outcomes are known, the probability of outcomes together, and reasons.

What is stated holds for all entities of the request, each outcome for those of its task's kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.domain.predictions import CHUNK_ROWS, Basis, Question, rows_of
from app.errors import FieldError, Invalid
from model.errors import InvalidOutcome
from model.prediction import Outcome, Predictions, chunks
from model.prediction.conditional import Given, Joint
from model.prediction.explanation import Explanation
from model.snapshots import Rows
from model.tasks import EntityKind

Outcomes = Mapping[str, Outcome]

MAX_EXPLAINED = 100
"""Entities whose predictions are explained at once: each takes some hundred rows of scoring."""
MAX_REASONS = 1_000
"""Predictions that are explained at once."""


@dataclass(frozen=True)
class Statement:
    """What is asked beside the question.

    Attributes:
        given: what is known, by the names of the tasks.
        outcomes: of which the probability together is asked.
        explain: whether reasons are asked for.
    """

    given: Outcomes = field(default_factory=dict)
    outcomes: Outcomes = field(default_factory=dict)
    explain: bool = False


@dataclass(frozen=True)
class Reasoned:
    """The answers.

    Attributes:
        predictions: task by task, in the order of the question.
        explanations: of each entity of a kind, by the names of the tasks; empty where not asked.
        joints: of each kind that outcomes are stated of.
    """

    predictions: Iterable[Predictions]
    explanations: Mapping[EntityKind, Sequence[Mapping[str, Explanation]]] = field(
        default_factory=dict
    )
    joints: Mapping[EntityKind, Joint] = field(default_factory=dict)


def check(question: Question, statement: Statement, basis: Basis) -> None:
    """Whether what is stated goes with the question.

    Raises:
        Invalid: a stated task is unknown or of a kind that is not asked for, a value cannot be,
            alone or beside the others, or too much is to be explained; `errors` points to it.
    """
    for place, stated in (("given", statement.given), ("outcomes", statement.outcomes)):
        for name in stated:
            _check_kind(f"/body/{place}", name, question, basis)
    for kind in question.entities:
        _check_outcomes(kind, question, statement, basis)
    if statement.explain:
        _check_size(question)


def answer_given(basis: Basis, question: Question, statement: Statement) -> Reasoned:
    """All answers to a checked question.

    Raises:
        NotFound: the dataset does not know some of the entities; `errors` points to them.
    """
    scored = {
        kind: _score(basis, rows, question, statement)
        for kind, rows in rows_of(basis, question).items()
    }
    predictions = []
    for task in question.tasks:
        of_kind = scored[task.entity]
        entities = question.entities[task.entity]
        conditional = basis.model.predictor.conditional(task.entity)
        predictions.append(
            Predictions(
                task=task,
                entity_ids=entities.ids,
                item_ids=entities.item_ids,
                cold_start=of_kind.is_cold,
                distribution=conditional.distribution(task.name, of_kind.flat, of_kind.given),
            )
        )
    return Reasoned(
        predictions=predictions,
        explanations={k: own.explanations for k, own in scored.items() if own.explanations},
        joints={kind: Joint.joined(own.joints) for kind, own in scored.items() if own.joints},
    )


@dataclass
class _OfKind:
    """What was found of one kind of entity."""

    given: Given
    flat: NDArray[np.float32]
    is_cold: NDArray[np.bool_]
    joints: list[Joint] = field(default_factory=list)
    explanations: list[dict[str, Explanation]] = field(default_factory=list)


def _score(basis: Basis, rows: Rows, question: Question, statement: Statement) -> _OfKind:
    log, model = basis.dataset.log, basis.model
    conditional = model.predictor.conditional(rows.kind)
    given = conditional.given(_of_kind(statement.given, rows.kind, basis))
    outcomes = _of_kind(statement.outcomes, rows.kind, basis)
    tasks = question.names(rows.kind)
    found = _OfKind(
        given=given,
        flat=np.empty((len(rows), conditional.layout.columns), dtype=np.float32),
        is_cold=np.empty(len(rows), dtype=bool),
    )
    for part in chunks(len(rows), CHUNK_ROWS):
        read = model.reader.read(log, rows.take(part))
        scored = conditional.score(read, log.base)
        found.flat[part] = conditional.parameters(scored, given)
        found.is_cold[part] = read.is_cold
        if outcomes:
            found.joints.append(conditional.joint(scored, outcomes, given))
        if statement.explain:
            explainer = model.predictor.explainer(rows.kind)
            for row in range(len(read)):
                own = read.take(slice(row, row + 1))
                found.explanations.append(explainer.explain(own, log.base, tasks, given))
    return found


def _of_kind(outcomes: Outcomes, kind: EntityKind, basis: Basis) -> dict[str, Outcome]:
    tasks = basis.model.tasks
    return {name: value for name, value in outcomes.items() if tasks[name].entity == kind}


def _check_kind(place: str, name: str, question: Question, basis: Basis) -> None:
    task = basis.model.tasks.get(name)
    if task is None:
        known = ", ".join(sorted(basis.model.tasks))
        raise _invalid(
            place, name, f"no task {name!r}: model version {basis.model.number} knows {known}"
        )
    if task.entity not in question.entities:
        raise _invalid(
            place,
            name,
            f"task {name!r} is about {task.entity}s, and nothing is asked of {task.entity}s: give "
            f"some `{task.entity}s`, or leave it out",
        )


def _check_outcomes(
    kind: EntityKind, question: Question, statement: Statement, basis: Basis
) -> None:
    conditional = basis.model.predictor.conditional(kind)
    try:
        given = conditional.given(_of_kind(statement.given, kind, basis))
        given.check_asked(question.names(kind))
    except InvalidOutcome as error:
        raise _invalid("/body/given", error.task, str(error)) from error
    try:
        conditional.stated(_of_kind(statement.outcomes, kind, basis), given)
    except InvalidOutcome as error:
        place = "/body/outcomes" if error.task in statement.outcomes else "/body/given"
        raise _invalid(place, error.task, str(error)) from error


def _check_size(question: Question) -> None:
    entities = sum(map(len, question.entities.values()))
    if entities > MAX_EXPLAINED or question.size > MAX_REASONS:
        detail = (
            f"{question.size:,} predictions for {entities:,} entities are to be explained; at most "
            f"{MAX_REASONS:,} for {MAX_EXPLAINED:,} at once: ask in several calls"
        )
        raise Invalid(detail, errors=(FieldError("/body/explain", detail, "invalid"),))


def _invalid(place: str, name: str, detail: str) -> Invalid:
    pointer = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
    return Invalid(detail, code="invalid_outcome", errors=(FieldError(pointer, detail, "invalid"),))
