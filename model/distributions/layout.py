"""Where each task's parameters stand in the network's flat output.

Tasks of one likelihood stand side by side, so that the network computes them in one batched
operation: a group with T tasks and P parameters each takes T * P columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model.distributions.hazards import BINS
from model.tasks import PERIODS, Column, Next, PeakPeriod, Task

LikelihoodName = Literal[
    "bernoulli",
    "categorical",
    "hazard",
    "hurdle_log_normal",
    "hurdle_negative_binomial",
    "normal",
    "periods",
]

_LIKELIHOOD_OF: dict[str, LikelihoodName] = {
    "occurs": "bernoulli",
    "count": "hurdle_negative_binomial",
    "sum": "hurdle_log_normal",
    "time_to": "hazard",
}
_PARAMETERS = {
    "bernoulli": 1,
    "hurdle_negative_binomial": 3,
    "hurdle_log_normal": 3,
    "hazard": BINS,
    "normal": 2,
}


@dataclass(frozen=True)
class Group:
    """Tasks with the same likelihood and number of parameters.

    Attributes:
        first_task: position of its first task in the layout.
        first_column: position of its first parameter in the flat output.
    """

    likelihood: LikelihoodName
    parameters: int
    tasks: tuple[Task, ...]
    first_task: int
    first_column: int

    @property
    def task_slice(self) -> slice:
        """Its tasks in the layout."""
        return slice(self.first_task, self.first_task + len(self.tasks))

    @property
    def column_slice(self) -> slice:
        """Its columns in the flat output."""
        return slice(self.first_column, self.first_column + len(self.tasks) * self.parameters)


class Layout:
    """The order of an entity kind's tasks and of their parameters.

    Args:
        tasks: of one entity kind.
        classes: the classes of each task that asks for one of several; a `column` task that is not
            among them asks for a number.
    """

    def __init__(
        self, tasks: Sequence[Task], classes: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        names = {task.name for task in tasks}
        self.classes = {n: tuple(known) for n, known in (classes or {}).items() if n in names}
        by_key: dict[tuple[LikelihoodName, int], list[Task]] = {}
        for task in tasks:
            by_key.setdefault(self._key(task), []).append(task)
        groups: list[Group] = []
        first_task = first_column = 0
        for (likelihood, parameters), members in sorted(by_key.items()):
            groups.append(Group(likelihood, parameters, tuple(members), first_task, first_column))
            first_task += len(members)
            first_column += len(members) * parameters
        self.groups = tuple(groups)
        self.tasks = tuple(task for group in groups for task in group.tasks)
        self.columns = first_column
        self._position = {task.name: index for index, task in enumerate(self.tasks)}
        self._columns = {
            task.name: slice(first, first + group.parameters)
            for group in self.groups
            for number, task in enumerate(group.tasks)
            for first in [group.first_column + number * group.parameters]
        }

    def __len__(self) -> int:
        return len(self.tasks)

    def part(self, positions: Sequence[int]) -> Layout:
        """The layout of some tasks alone; positions ascend, so that the order stays."""
        return Layout([self.tasks[position] for position in positions], self.classes)

    def position(self, name: str) -> int:
        """Where a task stands among the tasks."""
        return self._position[name]

    def group(self, name: str) -> Group:
        """The group of a task."""
        position = self.position(name)
        return next(g for g in self.groups if g.task_slice.start <= position < g.task_slice.stop)

    def columns_of(self, name: str) -> slice:
        """The columns of a task's parameters."""
        return self._columns[name]

    @property
    def task_of_column(self) -> list[int]:
        """(columns,) the position of the task that each parameter is of."""
        return [
            position
            for group in self.groups
            for position in range(group.task_slice.start, group.task_slice.stop)
            for _ in range(group.parameters)
        ]

    def _key(self, task: Task) -> tuple[LikelihoodName, int]:
        if isinstance(task.target, PeakPeriod):
            return "periods", PERIODS[task.target.period]
        if isinstance(task.target, Next) or task.name in self.classes:
            return "categorical", len(self.classes[task.name])
        if isinstance(task.target, Column):
            return "normal", _PARAMETERS["normal"]
        likelihood = _LIKELIHOOD_OF[task.target.kind]
        return likelihood, _PARAMETERS[likelihood]
