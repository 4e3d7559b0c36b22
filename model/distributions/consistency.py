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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.distributions import hazards
from model.distributions.chance_kernel import fit_chances
from model.distributions.layout import Layout
from model.tasks import Choice, Count, Sum, Task, Window

Longs = NDArray[np.int64]
_MAX_CELLS = 20_000_000
_ROUNDED_UP = 0.5
_KINDS = frozenset({"bernoulli", "hazard", "hurdle_log_normal", "hurdle_negative_binomial"})


class Consistency:
    """The order of an entity kind's chances.

    Args:
        layout: the tasks.
        least_amounts: of tasks about sums and units, the least amount of a single event. Where
            every event amounts to something, a total above zero says no more than an event; where
            none amounts to less than nothing, more days have no smaller total.
        implied: further pairs of names: the first task's event does not come without the second's.
        use_compiler: without it NumPy does the same.
    """

    def __init__(
        self,
        layout: Layout,
        least_amounts: Mapping[str, float] | None = None,
        implied: Iterable[tuple[str, str]] = (),
        *,
        use_compiler: bool = COMPILED,
    ) -> None:
        least = least_amounts or {}
        chances = _chances(layout, least)
        number = {name: index for index, names in enumerate(chances) for name in names}
        above = _above([layout.tasks[layout.position(names[0])] for names in chances], least)
        for one, other in implied:
            if one in number and other in number and number[one] != number[other]:
                above[number[one]].add(number[other])
        above = _closed(above)
        below: list[set[int]] = [set() for _ in above]
        for lower, uppers in enumerate(above):
            for upper in uppers:
                below[upper].add(lower)
        moved = [n for n in range(len(above)) if above[n] or below[n]]
        self._moved = np.array(moved, dtype=np.int64)
        self._above = _Runs.of([[n, *sorted(above[n])] for n in moved])
        self._below = _Runs.of([[n, *sorted(below[n])] for n in moved])
        shared = {n for n, own in enumerate(chances) if len(own) > 1}
        self._said = _Said.of(layout, chances, {*moved} | shared)
        self._use_compiler = use_compiler

    @classmethod
    def none(cls) -> Consistency:
        """Every task by itself."""
        return cls(Layout([]))

    def __call__(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, columns) the same parameters, with chances that fit together."""
        if not self._said.changed:
            return flat
        if self._use_compiler:
            return self._fitted(np.ascontiguousarray(flat))
        before = self._said.logits(flat)
        after = before.copy()
        if len(self._moved):
            pairs = max(self._above.length, self._below.length, 1)
            step = max(1, _MAX_CELLS // pairs)
            for start in range(0, len(flat), step):
                rows = slice(start, start + step)
                lowest = self._above.reduced(np.minimum, before[rows])
                highest = self._below.reduced(np.maximum, before[rows])
                after[rows, self._moved] = (lowest + highest) / 2
        return self._said.written(flat, after)

    def _fitted(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        fitted = flat.copy()
        said, above, below = self._said, self._above, self._below
        fit_chances(
            flat,
            said.columns,
            said.bins,
            said.chance,
            self._moved,
            above.positions,
            above.bounds,
            below.positions,
            below.bounds,
            said.is_changed,
            fitted,
        )
        return fitted


@dataclass(frozen=True)
class _Said:
    """Where tasks say the chances: M tasks, those of a chance side by side.

    Attributes:
        chance: (M,) which one each task says.
        starts: (N,) the first task of each chance.
        counts: (N,) how many tasks say it.
        plain: (M,) the column of its log odds; 0 of a time, which has hazards.
        hazards: the tasks about times, with the columns of their hazards.
        changed: the tasks whose chance is another one afterwards.
    """

    chance: Longs
    starts: Longs
    counts: Longs
    plain: Longs
    hazards: dict[int, slice]
    changed: tuple[int, ...]

    @classmethod
    def of(cls, layout: Layout, chances: list[list[str]], changed: set[int]) -> _Said:
        names = [name for own in chances for name in own]
        columns = [layout.columns_of(name) for name in names]
        is_time = [layout.group(name).likelihood == "hazard" for name in names]
        counts = np.array([len(own) for own in chances], dtype=np.int64)
        chance = np.repeat(np.arange(len(chances)), counts)
        return cls(
            chance=chance,
            starts=np.cumsum(counts) - counts,
            counts=counts,
            plain=np.array(
                [0 if time else own.start for time, own in zip(is_time, columns, strict=True)],
                dtype=np.int64,
            ),
            hazards={place: own for place, own in enumerate(columns) if is_time[place]},
            changed=tuple(place for place, own in enumerate(chance.tolist()) if own in changed),
        )

    @cached_property
    def columns(self) -> Longs:
        """(M,) the first column of each task."""
        columns = self.plain.copy()
        for place, own in self.hazards.items():
            columns[place] = own.start
        return columns

    @cached_property
    def bins(self) -> Longs:
        """(M,) how many hazards a task has; 0 for plain log odds."""
        bins = np.zeros(len(self.plain), dtype=np.int64)
        for place, own in self.hazards.items():
            bins[place] = own.stop - own.start
        return bins

    @cached_property
    def is_changed(self) -> NDArray[np.bool_]:
        """(M,) the same as `changed`."""
        return np.isin(np.arange(len(self.plain)), self.changed)

    @cached_property
    def _changed_plain(self) -> tuple[Longs, Longs]:
        """The columns of log odds that are written, and the chances in them."""
        places = [place for place in self.changed if place not in self.hazards]
        return self.plain[places], self.chance[places]

    def logits(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, N) log odds of every chance, the mean of those of its tasks."""
        said: NDArray[np.float32] = flat[:, self.plain]
        for place, columns in self.hazards.items():
            said[:, place] = hazards.logit_within(flat[:, columns].astype(np.float64))
        if len(self.counts) == len(self.chance):
            return said
        sums: NDArray[np.float32] = np.add.reduceat(said, self.starts, axis=1)
        np.divide(sums, self.counts, out=sums, casting="unsafe")
        return sums

    def written(
        self, flat: NDArray[np.float32], logits: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(R, columns) the parameters with other log odds of the chances that change."""
        written = flat.copy()
        columns, chances = self._changed_plain
        written[:, columns] = logits[:, chances]
        for place, of_time in self.hazards.items():
            if place in self.changed:
                shape = flat[:, of_time].astype(np.float64)
                wanted = logits[:, self.chance[place]].astype(np.float64)
                written[:, of_time] = hazards.with_chance(shape, wanted)
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

    @cached_property
    def bounds(self) -> Longs:
        """Where each set begins, and the end."""
        return np.append(self.starts, len(self.positions))

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
