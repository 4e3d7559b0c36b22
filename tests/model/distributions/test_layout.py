from __future__ import annotations

import pytest

from model.distributions import BINS, Layout
from model.tasks import Column, Count, Next, Occurs, PeakPeriod, Sum, Task, TimeTo

TARGETS = {
    "a": Sum(event_type="buy"),
    "b": Occurs(event_type="buy"),
    "c": PeakPeriod(event_type="buy", period="weekday"),
    "d": Count(event_type="buy"),
    "e": Occurs(event_type="view"),
    "f": PeakPeriod(event_type="buy", period="hour"),
    "g": Next(of="item.category"),
    "h": Column(column="color"),
    "i": Column(column="rating"),
    "j": TimeTo(event_type="buy"),
    "k": Next(),
}
CLASSES = {
    "g": ("shoes", "hats", "other"),
    "h": ("blue", "red", "other"),
    "k": ("view", "buy"),
    "not one of the tasks": ("a", "b"),
}
TASKS = [
    Task(name=name, entity="user", target=target, horizon_days=30)
    for name, target in TARGETS.items()
]
PARAMETERS = {
    "a": 3,
    "b": 1,
    "c": 7,
    "d": 3,
    "e": 1,
    "f": 24,
    "g": 3,
    "h": 3,
    "i": 2,
    "j": BINS,
    "k": 2,
}


def test_every_task_has_columns_of_its_own() -> None:
    layout = Layout(TASKS, CLASSES)
    assert {task.name for task in layout.tasks} == set(TARGETS)
    seen: list[int] = []
    for task in layout.tasks:
        columns = layout.columns_of(task.name)
        assert columns.stop - columns.start == PARAMETERS[task.name]
        seen += range(columns.start, columns.stop)
    assert seen == list(range(layout.columns))


def test_tasks_of_one_likelihood_stand_side_by_side() -> None:
    layout = Layout(TASKS, CLASSES)
    for group in layout.groups:
        assert layout.tasks[group.task_slice] == group.tasks
        columns = [layout.columns_of(task.name) for task in group.tasks]
        assert columns[0].start == group.column_slice.start
        assert columns[-1].stop == group.column_slice.stop
        assert all(layout.group(task.name) is group for task in group.tasks)
    assert sorted(len(group.tasks) for group in layout.groups) == [1, 1, 1, 1, 1, 1, 1, 2, 2]


def test_the_layout_of_its_own_tasks_is_the_same() -> None:
    layout = Layout(TASKS, CLASSES)
    assert Layout(layout.tasks, layout.classes).tasks == layout.tasks


def test_no_tasks() -> None:
    layout = Layout([])
    assert len(layout) == 0
    assert layout.columns == 0


def test_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        Layout(TASKS, CLASSES).columns_of("z")


def test_a_layout_keeps_the_classes_of_its_own_tasks() -> None:
    assert set(Layout(TASKS, CLASSES).classes) == {"g", "h", "k"}


def test_a_column_is_of_numbers_unless_it_has_classes() -> None:
    likelihoods = {name: Layout(TASKS, CLASSES).group(name).likelihood for name in ("h", "i")}
    assert likelihoods == {"h": "categorical", "i": "normal"}
