from __future__ import annotations

import pytest

from model.distributions import Layout
from model.tasks import Count, Occurs, PeakPeriod, Sum, Task

TARGETS = {
    "a": Sum(event_type="buy"),
    "b": Occurs(event_type="buy"),
    "c": PeakPeriod(event_type="buy", period="weekday"),
    "d": Count(event_type="buy"),
    "e": Occurs(event_type="view"),
    "f": PeakPeriod(event_type="buy", period="hour"),
}
TASKS = [
    Task(name=name, entity="user", target=target, horizon_days=30)
    for name, target in TARGETS.items()
]
PARAMETERS = {"a": 3, "b": 1, "c": 7, "d": 3, "e": 1, "f": 24}


def test_every_task_has_columns_of_its_own() -> None:
    layout = Layout(TASKS)
    assert {task.name for task in layout.tasks} == set(TARGETS)
    seen: list[int] = []
    for task in layout.tasks:
        columns = layout.columns_of(task.name)
        assert columns.stop - columns.start == PARAMETERS[task.name]
        seen += range(columns.start, columns.stop)
    assert seen == list(range(layout.columns))


def test_tasks_of_one_likelihood_stand_side_by_side() -> None:
    layout = Layout(TASKS)
    for group in layout.groups:
        assert layout.tasks[group.task_slice] == group.tasks
        columns = [layout.columns_of(task.name) for task in group.tasks]
        assert columns[0].start == group.column_slice.start
        assert columns[-1].stop == group.column_slice.stop
        assert all(layout.group(task.name) is group for task in group.tasks)
    assert sorted(len(group.tasks) for group in layout.groups) == [1, 1, 1, 1, 2]


def test_the_layout_of_its_own_tasks_is_the_same() -> None:
    layout = Layout(TASKS)
    assert Layout(layout.tasks).tasks == layout.tasks


def test_no_tasks() -> None:
    layout = Layout([])
    assert len(layout) == 0
    assert layout.columns == 0


def test_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        Layout(TASKS).columns_of("g")
