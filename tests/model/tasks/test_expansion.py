from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from model.errors import InvalidTask
from model.events import EventLog
from model.tasks import Condition, Next, Occurs, Sum, Task, TaskDeclaration, expand
from model.tasks.expansion import MAX_VALUES, MIN_EVENTS

START = datetime(2024, 1, 1, tzinfo=UTC)
EACH = Task(
    name="buys",
    entity="user",
    target=Occurs(event_type="purchase"),
    horizon_days=7,
    for_each="item.category",
)


def log_of(events: dict[str, int], event_type: str = "purchase") -> EventLog:
    """A log with so many events of one item of each category, in the order given."""
    names = [name for name, count in events.items() for _ in range(count)]
    frame = pd.DataFrame(
        {
            "user": "a",
            "item": names,
            "time": [START + timedelta(hours=n) for n in range(len(names))],
            "event_type": event_type,
        }
    )
    items = pd.DataFrame({"item": list(events), "category": list(events), "weight": 1.0})
    return EventLog.from_frames(frame, items=items)


def test_there_is_one_task_for_each_value() -> None:
    found = expand([EACH], log_of({"Shoes & Co": 30, "hats": 20}))
    assert [(task.name, task.declared_as, task.for_each_value) for task in found.tasks] == [
        ("buys__shoes_co", "buys", "Shoes & Co"),
        ("buys__hats", "buys", "hats"),
    ]
    for task in found.tasks:
        assert task.target.where == (
            Condition(attribute="item.category", value=task.for_each_value),
        )
        assert (task.horizon_days, task.entity, task.for_each) == (7, "user", "item.category")
        assert Task.model_validate_json(task.model_dump_json()) == task
    assert found.left_out == {}
    assert expand(found.tasks, log_of({"hats": 20})).tasks == found.tasks


def test_conditions_that_are_declared_stay() -> None:
    cheap = Condition(attribute="event.price", op="<", value=10)
    declared = EACH.model_copy(update={"target": Sum(event_type="purchase", where=(cheap,))})
    (task,) = expand([declared], log_of({"hats": 20})).tasks
    assert task.target.where == (cheap, Condition(attribute="item.category", value="hats"))


def test_tasks_without_for_each_stay_as_they_are() -> None:
    plain = EACH.model_copy(update={"for_each": None, "name": "plain"})
    assert expand([plain], log_of({"hats": 5})).tasks == (plain,)


def test_names_are_plain_and_all_different() -> None:
    other = EACH.model_copy(update={"for_each": None, "name": "buys__b"})
    values = {"鞋": 20, "A!": 20, "a": 20, "帽子": 20, "a?": 20, "B": 20, "x" * 300: 20}
    found = expand([EACH, other], log_of(values)).tasks
    names = {task.for_each_value: task.name for task in found}
    assert names == {
        "鞋": "buys__v1",
        "A!": "buys__a",
        "a": "buys__a_2",
        "帽子": "buys__v4",
        "a?": "buys__a_3",
        "B": "buys__b_2",
        "x" * 300: "buys__" + "x" * 40,
        None: "buys__b",
    }


def test_names_stay_when_the_log_grows() -> None:
    before = expand([EACH], log_of({"鞋": 20, "帽子": 25, "表": 3})).tasks
    after = expand([EACH], log_of({"鞋": 20, "帽子": 25, "表": 30, "包": 500})).tasks
    names = {task.for_each_value: task.name for task in after}
    assert {task.for_each_value: task.name for task in before}.items() <= names.items()
    assert names["表"] == "buys__v3"


def test_a_value_with_too_few_events_is_left_out_and_said_so() -> None:
    found = expand([EACH], log_of({"hats": MIN_EVENTS, "gloves": MIN_EVENTS - 1}))
    assert [task.name for task in found.tasks] == ["buys__hats"]
    assert list(found.left_out) == ["buys__gloves"]
    assert "item.category 'gloves' has 19 events" in found.left_out["buys__gloves"]


def test_events_of_another_type_do_not_count() -> None:
    with pytest.raises(InvalidTask, match="the most frequent one has 0"):
        expand([EACH], log_of({"hats": 30}, event_type="view"))
    anything = EACH.model_copy(update={"target": Next()})
    assert len(expand([anything], log_of({"hats": 30}, event_type="view")).tasks) == 1


def test_at_most_so_many_values_the_most_frequent_ones() -> None:
    values = {f"value {n}": MIN_EVENTS + (n >= 5) for n in range(MAX_VALUES + 5)}
    found = expand([EACH], log_of(values))
    assert len(found.tasks) == MAX_VALUES
    assert {f"buys__value_{n}" for n in range(5)} == set(found.left_out)


def test_a_number_has_no_values() -> None:
    with pytest.raises(InvalidTask, match=r"item\.weight is no category"):
        expand([EACH.model_copy(update={"for_each": "item.weight"})], log_of({"hats": 30}))


def test_the_declaration_says_nothing_of_one_value() -> None:
    (task,) = expand([EACH], log_of({"hats": 30})).tasks
    assert type(task.declaration) is TaskDeclaration
    assert task.declaration.for_each == "item.category"
