"""What stated outcomes imply by logic alone, whatever the network says.

Who buys within 7 days buys within 30; a count above zero says that the event occurs; a time of 9
days says that it does not within 7; who buys shoes buys. Two targets bear on each other if they
look at events of one type and the conditions of the one are among those of the other, so that the
events of the other are a part of the events of the one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.distributions import Bounds
from model.tasks import Count, Sum, Task, TimeTo, Window


@dataclass(frozen=True)
class Stated:
    """A task and what is stated of its outcome.

    `value` is 0 or 1 for `occurs`; a count, an amount of money or a number; days for `time_to`,
    infinite for an event that does not come within the horizon.
    """

    task: Task
    value: float

    @property
    def is_density(self) -> bool:
        """Whether it has a density per unit, not a probability."""
        match self.task.target.kind:
            case "sum":
                return self.value > 0
            case "time_to":
                return self.value < math.inf
            case kind:
                return kind == "column"


class Implications:
    """What follows from stated outcomes.

    Args:
        stated: the outcomes.
        least_amounts: of tasks about sums and units, the least amount that a single event had in
            the log that was learned from. Where every event amounted to something, nothing says
            that none came; where none amounted to less than nothing, a total does not fall.
    """

    def __init__(self, stated: Iterable[Stated], least_amounts: Mapping[str, float]) -> None:
        self._stated = tuple(stated)
        self._least = least_amounts
        empty: list[Window] = []
        full: list[Window] = []
        for one in self._stated:
            self._read(one, empty, full)
        self._empty = empty
        self._full = [self._narrowed(window) for window in full]

    def bounds(self, task: Task) -> Bounds:
        """Between what a task's outcome must lie.

        Least above most, or what surely happens and surely does not, says that the stated outcomes
        contradict each other.
        """
        window = Window.of(task)
        if window is None or not self._stated:
            return Bounds()
        if isinstance(task.target, TimeTo):
            return self._of_time(task, window)
        least, most = self._amounts(task, window)
        happens = self._happens(window)
        if happens and not self._counts_every_event(task):
            happens = None
        if happens is None and least > 0:
            happens = True
        if happens is None and most <= 0 and self._counts_every_event(task):
            happens = False
        if happens and isinstance(task.target, Count):
            least = max(least, 1.0)
        return Bounds(happens=happens, least=least, most=0.0 if happens is False else most)

    def _read(self, one: Stated, empty: list[Window], full: list[Window]) -> None:
        """Where there is no event, and where there is at least one."""
        window = Window.of(one.task)
        if window is None:
            return
        if isinstance(one.task.target, TimeTo):
            days = window.after + one.value
            if one.value < math.inf:
                full.append(Window(window.choice, window.after, days))
                days = math.nextafter(days, -math.inf)
            empty.append(Window(window.choice, window.after, min(days, window.by)))
        elif one.value > 0:
            full.append(window)
        elif self._counts_every_event(one.task):
            empty.append(window)

    def _counts_every_event(self, task: Task) -> bool:
        """Whether an outcome of zero says that there was no event."""
        match task.target:
            case Count(of="units"):
                return self._least.get(task.name, 0.0) >= 0.5  # units are rounded
            case Sum():
                return self._least.get(task.name, 0.0) > 0
            case _:
                return True

    def _never_falls(self, task: Task) -> bool:
        """Whether further events cannot make the outcome less."""
        match task.target:
            case Count(of="units") | Sum():
                return self._least.get(task.name, -1.0) >= 0
            case _:
                return True

    def _happens(self, window: Window) -> bool | None:
        if any(full <= window for full in self._full):
            return True
        return False if self._empty_until(window) >= window.by else None

    def _of_time(self, task: Task, window: Window) -> Bounds:
        after = min(self._empty_until(window), window.by) - window.after
        within = [full.by for full in self._full if full <= window]
        by = min(within) - window.after if within else math.inf
        happens = True if within else (False if after >= task.horizon_days else None)
        return Bounds(happens=happens, least=after, most=by)

    def _amounts(self, task: Task, window: Window) -> tuple[float, float]:
        """The least and the most that other counts or sums leave."""
        least, most = 0.0, math.inf
        for other in self._stated:
            theirs = Window.of(other.task)
            if theirs is None:
                continue
            if theirs <= window and self._never_falls(task) and _adds_to(other.task, task):
                least = max(least, other.value)
            if window <= theirs and self._never_falls(other.task) and _adds_to(task, other.task):
                most = min(most, other.value)
        return least, most

    def _empty_until(self, window: Window) -> float:
        """Up to when, from its start, a window is known to have no event."""
        reached = window.after
        for empty in sorted(self._empty, key=lambda empty: empty.after):
            if window.choice <= empty.choice and empty.after <= reached:
                reached = max(reached, empty.by)
        return reached

    def _narrowed(self, window: Window) -> Window:
        """A window with an event, less the days at both ends that have none."""
        after, by = min(self._empty_until(window), window.by), window.by
        for empty in sorted(self._empty, key=lambda empty: -empty.by):
            if window.choice <= empty.choice and empty.by >= by:
                by = min(by, empty.after)
        return Window(window.choice, after, max(by, window.after))


def _adds_to(part: Task, whole: Task) -> bool:
    """Whether the whole's amount is at least the part's, if the part's events are among its own."""
    match part.target, whole.target:
        case Count(of="days"), Count(of="events"):
            return True  # a day with an event has one at least
        case Count(of=of), Count(of=other):
            return of == other
        case Sum(), Sum():
            return True
        case _:
            return False
