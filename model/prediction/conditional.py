"""What is predicted of some tasks when outcomes of others are known, and of all of them together.

    p(t | given) = the served distribution of t, its parameters moved by the joint head's
                   correction, cut off at what logic leaves of its outcome

With nothing known it is what is served, to the bit: the correction is exactly zero then. What is
served of a task, calibrated network or baseline, is what the evidence is measured by and what the
correction is added to; `TaskServing.evidence` says how much of it held true on validation rows.
Chances fit together as they do with nothing known (`model.distributions.consistency`).

The joint log-probability is that of the chain rule,

    log p(y_1) + log p(y_2 | y_1) + log p(y_3 | y_1, y_2) + ...

in the order in which the tasks' windows end. The conditionals are learned apart, so that another
order may give another value: it is a composite likelihood, and the order of the others is told too.

    R = rows, T = tasks, O = columns of the layout, D = channels of the state
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.artifact import Artifact
from model.distributions import Distribution, conditioned
from model.distributions.hazards import with_chance
from model.errors import InvalidOutcome
from model.events import EventLog
from model.prediction.implications import Implications, Stated
from model.prediction.outcomes import Outcome, check_together, labels_of, read_outcomes
from model.prediction.scorer import Scorer
from model.snapshots import ReadRows
from model.tasks import EntityKind

Floats = NDArray[np.float32]

_SURE = 20.0
"""Log odds of what is known: near enough to certain, and finite."""


@dataclass(frozen=True)
class Given:
    """Outcomes that are known, the same of every row.

    Attributes:
        stated: in the order of the layout.
        labels_T: as the likelihoods take them, NaN for what is not known.
        implications: what follows from them by logic.
    """

    stated: tuple[Stated, ...]
    labels_T: Floats
    implications: Implications

    def check_asked(self, tasks: Sequence[str]) -> None:
        """Nothing is predicted of a task whose outcome is known.

        Raises:
            InvalidOutcome: one of the tasks asked is given.
        """
        for one in self.stated:
            if one.task.name in tasks:
                raise InvalidOutcome(
                    one.task.name,
                    "its outcome is given, so that nothing is left to predict of "
                    "it: leave it out of the tasks, or out of what is given",
                )


@dataclass(frozen=True)
class Scored:
    """What is served of R rows when nothing is known, and the states it comes from."""

    flat_RO: Floats
    states_RD: Floats

    def take(self, rows: NDArray[np.integer] | slice) -> Scored:
        """Some of the rows."""
        return Scored(self.flat_RO[rows], self.states_RD[rows])


@dataclass(frozen=True)
class Joint:
    """How probable stated outcomes are, of R rows.

    Attributes:
        order: the tasks' names, in the order of the chain.
        terms: (R,) per task, given those before it in the chain; a density per unit for sums,
            numbers and days.
        marginals: (R,) per task, whatever the others are.
        reversed_log_probability: (R,) by the chain in the opposite order.
        densities: the tasks whose terms are densities per unit.
    """

    order: tuple[str, ...]
    terms: Mapping[str, NDArray[np.float64]]
    marginals: Mapping[str, NDArray[np.float64]]
    reversed_log_probability: NDArray[np.float64]
    densities: frozenset[str]

    @property
    def log_probability(self) -> NDArray[np.float64]:
        """(R,) of all stated outcomes together."""
        return np.asarray(np.sum([self.terms[name] for name in self.order], axis=0))

    @property
    def independent_log_probability(self) -> NDArray[np.float64]:
        """(R,) of all of them, if they had nothing to do with each other."""
        return np.asarray(np.sum([self.marginals[name] for name in self.order], axis=0))

    @property
    def inconsistency(self) -> NDArray[np.float64]:
        """(R,) nats by which the opposite order of the chain differs."""
        return np.abs(self.reversed_log_probability - self.log_probability)

    @classmethod
    def joined(cls, parts: Sequence[Joint]) -> Joint:
        """The same outcomes of the rows of all parts, one part after the other."""
        first = parts[0]
        return cls(
            order=first.order,
            terms={n: np.concatenate([p.terms[n] for p in parts]) for n in first.order},
            marginals={n: np.concatenate([p.marginals[n] for p in parts]) for n in first.order},
            reversed_log_probability=np.concatenate([p.reversed_log_probability for p in parts]),
            densities=first.densities,
        )


class Conditional:
    """One entity kind of a loaded model, asked under stated outcomes.

    Args:
        artifact: the model's files.
        scorer: of the same model, says what is served when nothing is known.

    Raises:
        InvalidArtifact: the joint head's weights are missing.
    """

    def __init__(self, artifact: Artifact, scorer: Scorer) -> None:
        description = artifact.description
        self.kind: EntityKind = scorer.kind
        self.layout = scorer.layout
        self._scorer = scorer
        self._joint_head = artifact.joint_head(scorer.kind)
        self._scales = {name: how.scale for name, how in description.serving.items()}
        self._least_amounts = description.least_amounts
        self._trust_O = np.ones(self.layout.columns, dtype=np.float32)
        for task in self.layout.tasks:
            how = description.serving[task.name]
            slope = how.slope if how.is_learned and how.slope else (1.0,)
            self._trust_O[self.layout.columns_of(task.name)] = how.evidence * np.asarray(slope)

    def given(self, outcomes: Mapping[str, Outcome]) -> Given:
        """Read what is known, by the names of the tasks and in natural units.

        Raises:
            UnknownTask: a name is not one of this kind's tasks.
            InvalidOutcome: a value cannot be, alone or beside the others.
        """
        return self.known(read_outcomes(self.layout, outcomes, self._least_amounts))

    def known(self, stated: Sequence[Stated]) -> Given:
        """The same from outcomes that were read before."""
        return Given(
            stated=tuple(stated),
            labels_T=labels_of(self.layout, stated, self._scales),
            implications=Implications(stated, self._least_amounts),
        )

    def score(self, read: ReadRows, log: EventLog) -> Scored:
        """What is served of R rows when nothing is known."""
        return Scored(*self._scorer.score_with_states(read, log))

    def parameters(self, scored: Scored, given: Given) -> Floats:
        """(R, O) the parameters of every task, given the outcomes; their chances fit together."""
        if not given.stated:
            return scored.flat_RO
        corrected_RO = self.corrected(scored, given)
        for one in given.stated:
            self._settle(one, corrected_RO)
        return self._scorer.consistency(corrected_RO)

    def corrected(self, scored: Scored, given: Given) -> Floats:
        """(R, O) what is served, moved by the joint head."""
        rows = len(scored.flat_RO)
        outcomes_RT = np.broadcast_to(given.labels_T, (rows, len(given.labels_T)))
        correction_RO = self._joint_head(scored.states_RD, scored.flat_RO, outcomes_RT)
        return np.asarray(scored.flat_RO + self._trust_O * correction_RO, dtype=np.float32)

    def _settle(self, one: Stated, parameters_RO: Floats) -> None:
        """Write the chance of what is known to have happened or not, so that others fit to it."""
        name = one.task.name
        columns, likelihood = self.layout.columns_of(name), self.layout.group(name).likelihood
        if likelihood == "normal":
            return
        happened = one.value < math.inf if likelihood == "hazard" else one.value > 0
        chance = np.float32(_SURE if happened else -_SURE)
        if likelihood == "hazard":
            chances = np.full(len(parameters_RO), chance, dtype=np.float64)
            hazards = parameters_RO[:, columns].astype(np.float64)
            parameters_RO[:, columns] = with_chance(hazards, chances)
        else:
            parameters_RO[:, columns.start] = chance

    def distribution(self, task: str, parameters_RO: Floats, given: Given) -> Distribution:
        """What the parameters say of one task, within what logic leaves of it."""
        marginal = self._scorer.distribution(task, parameters_RO)
        return conditioned(marginal, given.implications.bounds(marginal.task))

    def joint(self, scored: Scored, outcomes: Mapping[str, Outcome], given: Given) -> Joint:
        """How probable outcomes are together, beside what is known.

        Raises:
            UnknownTask: a name is not one of this kind's tasks.
            InvalidOutcome: an outcome cannot be, alone or beside the others and what is known.
        """
        stated = self.stated(outcomes, given)
        chain = sorted(stated, key=self._place)
        terms = self._chain(scored, chain, given)
        backwards = self._chain(scored, chain[::-1], given)
        parameters = self.parameters(scored, given)
        return Joint(
            order=tuple(one.task.name for one in chain),
            terms=terms,
            marginals={
                one.task.name: self.distribution(one.task.name, parameters, given).log_probability(
                    one.value
                )
                for one in chain
            },
            reversed_log_probability=np.sum([backwards[one.task.name] for one in chain], axis=0),
            densities=frozenset(one.task.name for one in chain if one.is_density),
        )

    def stated(self, outcomes: Mapping[str, Outcome], given: Given) -> tuple[Stated, ...]:
        """Outcomes that are asked about, beside those that are known; raises as `joint`."""
        stated = read_outcomes(self.layout, outcomes, self._least_amounts)
        given.check_asked(list(outcomes))
        check_together([*stated, *given.stated], self._least_amounts)
        return stated

    def _place(self, one: Stated) -> tuple[int, int]:
        """Where a task stands in the canonical order: as its window ends."""
        return one.task.end_days, self.layout.position(one.task.name)

    def _chain(
        self, scored: Scored, chain: Sequence[Stated], given: Given
    ) -> dict[str, NDArray[np.float64]]:
        """(R,) of each outcome, given those before it and what is known."""
        terms = {}
        for number, one in enumerate(chain):
            before = self.known([*given.stated, *chain[:number]])
            parameters = self.parameters(scored, before)
            distribution = self.distribution(one.task.name, parameters, before)
            terms[one.task.name] = distribution.log_probability(one.value)
        return terms
