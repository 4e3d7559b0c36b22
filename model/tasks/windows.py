"""Which events a task looks at: a choice of them, and the days of a window.

Two tasks bear on each other if the events that the one looks at are among those of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from model.tasks.task import Condition, Count, Occurs, Sum, Task, TimeTo

Counted = Occurs | Count | Sum | TimeTo
_MOST_SUBSETS = 256


@dataclass(frozen=True)
class Choice:
    """Events of one type that fulfil some conditions."""

    event_type: str
    conditions: frozenset[Condition]

    @classmethod
    def of(cls, target: Counted) -> Choice:
        """What a target looks at."""
        return cls(target.event_type, frozenset(target.where))

    def __le__(self, other: Choice) -> bool:
        """Whether every event of this choice is one of the other's."""
        return self.event_type == other.event_type and self.conditions >= other.conditions

    def wider(self) -> Iterator[Choice]:
        """Choices that have every event of this one, itself among them.

        Of very many conditions those with one condition less, and with none.
        """
        own = sorted(self.conditions, key=repr)
        if 2 ** len(own) > _MOST_SUBSETS:
            fewer = [self.conditions - {one} for one in own]
            yield from (Choice(self.event_type, some) for some in (self.conditions, *fewer))
            yield Choice(self.event_type, frozenset())
            return
        for size in range(len(own) + 1):
            for some in combinations(own, size):
                yield Choice(self.event_type, frozenset(some))


@dataclass(frozen=True)
class Window:
    """The days (after, by] from the cutoff, for the events of a choice."""

    choice: Choice
    after: float
    by: float

    @classmethod
    def of(cls, task: Task) -> Window | None:
        """What a task looks at; None for targets that are about more than events' coming."""
        if not isinstance(task.target, Counted):
            return None
        return cls(Choice.of(task.target), float(task.start_days), float(task.end_days))

    def __le__(self, other: Window) -> bool:
        """Whether every event in this window is in the other."""
        inside = other.after <= self.after and self.by <= other.by
        return inside and self.choice <= other.choice
