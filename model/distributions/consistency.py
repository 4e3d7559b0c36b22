"""Makes what is served of tasks fit together: P(buy in 7 days) <= P(buy in 30 days), and the like.

Each task is calibrated by itself, or served by a baseline, so that nothing keeps their chances in
the order that logic asks for. Here every chance becomes the middle, in log odds, of the highest
chance of what implies it and of the lowest chance of what it implies. Both rise along the order, so
their middle does, exactly; where the order held already nothing changes. Tasks that ask whether the
same events come (`occurs`, a count's first hurdle, a time within its horizon) have one chance: the
mean of theirs.

    R = rows, N = chances (distinct questions whether events come)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.distributions import hazards
from model.distributions.layout import Layout
from model.tasks import Choice, Count, Sum, Task, Window

Floats = NDArray[np.floating]
_MAX_CELLS = 20_000_000
_ROUNDED_UP = 0.5
_KINDS = frozenset({"bernoulli", "hazard", "hurdle_log_normal", "hurdle_negative_binomial"})


@dataclass(frozen=True)
class _Member:
    """A task that says a chance: the columns of its parameters, and whether they are hazards."""

    columns: slice
    is_hazard: bool


class Consistency:
    """The order of an entity kind's chances.

    Args:
        layout: the tasks.
        least_amounts: of tasks about sums and units, the least amount of a single event. Where
            every event amounts to something, a total above zero says no more than an event; where
            none amounts to less than nothing, more days have no smaller total.
        implied: further pairs of names: the first task's event does not come without the second's.
    """

    def __init__(
        self,
        layout: Layout,
        least_amounts: Mapping[str, float] | None = None,
        implied: Iterable[tuple[str, str]] = (),
    ) -> None:
        least = least_amounts or {}
        chances = _chances(layout, least)
        number = {name: index for index, names in enumerate(chances) for name in names}
        self._members = [[_member(layout, name) for name in names] for names in chances]
        above = _above([layout.tasks[layout.position(names[0])] for names in chances], least)
        for lower, upper in implied:
            if lower in number and upper in number and number[lower] != number[upper]:
                above[number[lower]].add(number[upper])
        above = _closed(above)
        below: list[set[int]] = [set() for _ in above]
        for lower, uppers in enumerate(above):
            for upper in uppers:
                below[upper].add(lower)
        self._moved = [n for n in range(len(above)) if above[n] or below[n]]
        self._above = _Runs.of([[n, *sorted(above[n])] for n in self._moved])
        self._below = _Runs.of([[n, *sorted(below[n])] for n in self._moved])
        self._shared = [n for n, members in enumerate(self._members) if len(members) > 1]

    @classmethod
    def none(cls) -> Consistency:
        """Every task by itself."""
        return cls(Layout([]))

    def __call__(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, columns) the same parameters, with chances that fit together."""
        if not self._moved and not self._shared:
            return flat
        before = self._logits(flat)
        after = before.copy()
        if self._moved:
            pairs = max(self._above.length, self._below.length, 1)
            step = max(1, _MAX_CELLS // pairs)
            for start in range(0, len(flat), step):
                rows = slice(start, start + step)
                lowest = self._above.reduced(np.minimum, before[rows])
                highest = self._below.reduced(np.maximum, before[rows])
                after[rows, self._moved] = (lowest + highest) / 2
        return self._written(flat, after)

    def _logits(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, N) log odds of every chance, the mean of those of its tasks."""
        logits = np.empty((len(flat), len(self._members)), dtype=np.float32)
        for index, members in enumerate(self._members):
            logits[:, index] = np.mean([_logit(flat, member) for member in members], axis=0)
        return logits

    def _written(
        self, flat: NDArray[np.float32], logits: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        written = flat.copy()
        for index in sorted({*self._moved, *self._shared}):
            for member in self._members[index]:
                if member.is_hazard:
                    written[:, member.columns] = hazards.with_chance(
                        flat[:, member.columns], logits[:, index]
                    )
                else:
                    written[:, member.columns.start] = logits[:, index]
        return written


@dataclass(frozen=True)
class _Runs:
    """Positions of several sets, one after the other."""

    positions: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, sets: list[list[int]]) -> _Runs:
        lengths = [len(one) for one in sets]
        starts = np.cumsum([0, *lengths[:-1]]) if sets else np.zeros(0, dtype=np.int64)
        flat = [position for one in sets for position in one]
        return cls(np.array(flat, dtype=np.int64), starts)

    @property
    def length(self) -> int:
        return len(self.positions)

    def reduced(self, by: np.ufunc, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, sets) the least or greatest value of each set."""
        found: NDArray[np.float32] = by.reduceat(values[:, self.positions], self.starts, axis=1)
        return found


def _chances(layout: Layout, least: Mapping[str, float]) -> list[list[str]]:
    """The names of the tasks that ask for each chance."""
    by_question: dict[object, list[str]] = {}
    for group in layout.groups:
        if group.likelihood not in _KINDS:
            continue
        for task in group.tasks:
            by_question.setdefault((Window.of(task), _amount(task, least)), []).append(task.name)
    return list(by_question.values())


def _amount(task: Task, least: Mapping[str, float]) -> str | None:
    """What must be above zero beside the events' number: events may be free, or returns."""
    match task.target:
        case Sum() if least.get(task.name, 0.0) <= 0:
            return "sum"
        case Count(of="units") if least.get(task.name, 0.0) < _ROUNDED_UP:
            return "units"
        case _:
            return None


def _member(layout: Layout, name: str) -> _Member:
    return _Member(layout.columns_of(name), layout.group(name).likelihood == "hazard")


def _logit(flat: NDArray[np.float32], member: _Member) -> NDArray[np.float32]:
    if not member.is_hazard:
        logits: NDArray[np.float32] = flat[:, member.columns.start]
        return logits
    return hazards.logit_within(flat[:, member.columns]).astype(np.float32)


def _above(tasks: list[Task], least: Mapping[str, float]) -> list[set[int]]:
    """Per chance those that it implies: more days, fewer conditions, no amount or the same."""

    def is_implied(task: Task, other: Task) -> bool:
        amount = _amount(other, least)
        return amount is None or (
            amount == _amount(task, least) and least.get(other.name, -1.0) >= 0
        )

    windows = [window for task in tasks if (window := Window.of(task)) is not None]
    by_choice: dict[Choice, list[int]] = {}
    for index, window in enumerate(windows):
        by_choice.setdefault(window.choice, []).append(index)
    above: list[set[int]] = []
    for index, (task, window) in enumerate(zip(tasks, windows, strict=True)):
        wider = (other for choice in window.choice.wider() for other in by_choice.get(choice, ()))
        above.append(
            {
                other
                for other in wider
                if other != index and window <= windows[other] and is_implied(task, tasks[other])
            }
        )
    return above


def _closed(above: list[set[int]]) -> list[set[int]]:
    """All that is implied in any number of steps; never itself."""
    closed: list[set[int]] = []
    for index in range(len(above)):
        found: set[int] = set()
        waiting = list(above[index])
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting += above[other] - found
        closed.append(found - {index})
    return closed
