"""Why a prediction is what it is: what each group of inputs, and each known outcome, adds to it.

    prediction = average prediction + what each group of inputs adds + what each known outcome adds

in the task's natural unit. The average is that of some training rows. A group's share is what
changes, on average over orders of the groups, when its values become the entity's own; known
outcomes come after that, since they are measured by the prediction. Both are Shapley values over
sampled orders, which sum to the difference exactly and are the same at every call.

An entity of which nothing is known but its existence has the climatology's answer: nothing is
added to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distributions import Distribution
from model.events import EventLog
from model.prediction.background import Background
from model.prediction.conditional import Conditional, Given, Scored
from model.prediction.shapley import coalitions, sampled_orders, shares
from model.snapshots import ReadRows
from model.tasks import Column, Count, Task

Floats = NDArray[np.float64]
Read = Callable[[Distribution], Floats]

EVIDENCE_PAIRS = 8


@dataclass(frozen=True)
class Explanation:
    """What makes one task's prediction for one entity.

    Attributes:
        task: the task's name.
        unit: of everything else.
        average: the prediction for the average entity.
        groups: what each group of inputs adds, the largest first.
        evidence: what each known outcome adds, the largest first.
        prediction: the sum of all that.
    """

    task: str
    unit: str
    average: float
    groups: Mapping[str, float]
    evidence: Mapping[str, float]
    prediction: float


class Explainer:
    """Explains the predictions of one entity kind.

    Args:
        conditional: answers for that kind.
        background: its average entities.
    """

    def __init__(self, conditional: Conditional, background: Background) -> None:
        self._conditional = conditional
        self._background = background

    def explain(
        self, read: ReadRows, log: EventLog, tasks: Sequence[str], given: Given
    ) -> dict[str, Explanation]:
        """Some tasks' predictions for one entity.

        Args:
            read: the entity's row.
            log: says since when there is a past.
            tasks: their names, none of them given.
            given: what is known.
        """
        own = self._conditional.score(read, log)
        readings = {name: self._reading(name, own, given) for name in tasks}
        average_V, added_GV = self._of_groups(read, log, readings)
        marginal_V = self._values(own, readings, self._conditional.given({}))[0]
        if read.is_cold[0]:
            average_V, added_GV = marginal_V, np.zeros_like(added_GV)
        evidence_KV = self._of_evidence(own, readings, given)
        known = [one.task.name for one in given.stated]
        return {
            name: Explanation(
                task=name,
                unit=self._unit(name),
                average=float(average_V[column]),
                groups=_by_size(self._background.groups, added_GV[:, column]),
                evidence=_by_size(known, evidence_KV[:, column]),
                prediction=float(marginal_V[column] + evidence_KV[:, column].sum()),
            )
            for column, name in enumerate(tasks)
        }

    def _of_groups(
        self, read: ReadRows, log: EventLog, readings: Mapping[str, Read]
    ) -> tuple[Floats, Floats]:
        """(V,) the average prediction, and (G, V) what each group adds."""
        orders_MG = sampled_orders(len(self._background.groups), len(self._background))
        taken_MSG = coalitions(orders_MG)
        orders, steps, groups = taken_MSG.shape
        # An order and its reverse begin with the same average entity.
        rows_MS = np.repeat(np.arange(orders) // 2, steps)
        mixed = self._background.mixed(read, rows_MS, taken_MSG.reshape(-1, groups))
        scored = self._conditional.score(mixed, log)
        values = self._values(scored, readings, self._conditional.given({}))
        values_MSV = values.reshape(orders, steps, -1)
        return values_MSV[:, 0].mean(axis=0), shares(orders_MG, values_MSV)

    def _of_evidence(self, own: Scored, readings: Mapping[str, Read], given: Given) -> Floats:
        """(K, V) what each known outcome adds."""
        if not given.stated:
            return np.zeros((0, len(readings)))
        known = len(given.stated)
        orders_MK = sampled_orders(known, 1 if known < 3 else EVIDENCE_PAIRS)
        found: dict[bytes, Floats] = {}
        values = []
        for joined_K in coalitions(orders_MK).reshape(-1, known):
            key = joined_K.tobytes()
            if key not in found:
                stated = [
                    one for one, is_known in zip(given.stated, joined_K, strict=True) if is_known
                ]
                found[key] = self._values(own, readings, self._conditional.known(stated))[0]
            values.append(found[key])
        values_MSV = np.array(values).reshape(len(orders_MK), known + 1, -1)
        return shares(orders_MK, values_MSV)

    def _values(self, scored: Scored, readings: Mapping[str, Read], given: Given) -> Floats:
        """(R, V) each task's prediction as one number."""
        parameters = self._conditional.parameters(scored, given)
        return np.stack(
            [
                read(self._conditional.distribution(name, parameters, given))
                for name, read in readings.items()
            ],
            axis=1,
        )

    def _reading(self, name: str, own: Scored, given: Given) -> Read:
        """How a distribution becomes one number: of classes, the share of the entity's best."""
        task = self._task(name)
        if task.target.kind == "time_to":
            return lambda distribution: distribution.expected
        if task.target.kind != "peak_period" and name not in self._conditional.layout.classes:
            return lambda distribution: distribution.point
        parameters = self._conditional.parameters(own, given)
        answer = self._conditional.distribution(name, parameters, given)
        best = int(answer.probabilities[0].argmax())
        return lambda distribution: distribution.probabilities[:, best]

    def _unit(self, name: str) -> str:
        target = self._task(name).target
        if isinstance(target, Count):
            return target.of
        if isinstance(target, Column) and name not in self._conditional.layout.classes:
            return target.column
        return {"sum": "money", "time_to": "days"}.get(target.kind, "probability")

    def _task(self, name: str) -> Task:
        layout = self._conditional.layout
        return layout.tasks[layout.position(name)]


def _by_size(names: Sequence[str], added: Floats) -> dict[str, float]:
    order = np.argsort(-np.abs(added), kind="stable")
    return {names[place]: float(added[place]) for place in order.tolist()}
