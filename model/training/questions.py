"""What boosted trees are asked: whether something happens, how much if it does, how large it is.

Tasks that ask the same of the same rows ask one question.

    R = rows, O = columns of the layout
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.training.examples import Examples

Objective = Literal["binary", "poisson", "regression"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """What trees are to answer.

    Attributes:
        name: of the first task that asks, and what.
        columns: whose parameter the answer is.
        objective: LightGBM's name of the likelihood.
        rows: those that can answer.
        answers: theirs.
        offsets: theirs: what is known beforehand.
    """

    name: str
    columns: tuple[int, ...]
    objective: Objective
    rows: NDArray[np.int64]
    answers: Floats
    offsets: Floats


def distinct_questions(examples: Examples) -> list[Question]:
    """Those of all tasks; what several ask alike is asked once."""
    found: dict[bytes, Question] = {}
    for question in every_question(examples):
        digest = hashlib.sha256(question.objective.encode())
        for array in (question.rows, question.answers, question.offsets):
            digest.update(np.ascontiguousarray(array).tobytes())
        key = digest.digest()
        first = found.setdefault(key, question)
        if first is not question:
            found[key] = replace(first, columns=(*first.columns, *question.columns))
    return list(found.values())


def every_question(examples: Examples) -> Iterator[Question]:
    """What each task asks, one after the other."""
    layout = examples.layout
    offsets_RO = examples.offsets.double().numpy()
    for group, of_group in zip(layout.groups, examples.labels, strict=True):
        for number, task in enumerate(group.tasks):
            first = layout.columns_of(task.name).start
            labels = of_group[:, number].double().numpy()
            for what, column, objective, answers in _asked(group.likelihood, labels):
                rows = np.flatnonzero(~np.isnan(answers))
                yield Question(
                    name=f"{task.name}/{what}",
                    columns=(first + column,),
                    objective=objective,
                    rows=rows,
                    answers=answers[rows],
                    offsets=offsets_RO[rows, first + column],
                )


def _asked(likelihood: str, labels_R: Floats) -> Iterator[tuple[str, int, Objective, Floats]]:
    """What a task asks: its name, the parameter, the objective, and the answers or NaN.

    Of periods, classes and the bins of a time nothing is asked: they would take many trees.
    """
    unknown = np.isnan(labels_R)
    match likelihood:
        case "bernoulli":
            yield "whether", 0, "binary", labels_R
        case "hurdle_negative_binomial":
            some = labels_R > 0
            yield "whether", 0, "binary", np.where(unknown, np.nan, some)
            yield "how_much", 1, "poisson", np.where(some, labels_R - 1, np.nan)
        case "hurdle_log_normal":
            some = labels_R > -np.inf
            yield "whether", 0, "binary", np.where(unknown, np.nan, some)
            yield "how_much", 1, "regression", np.where(some, labels_R, np.nan)
        case "normal":
            yield "how_much", 0, "regression", labels_R
