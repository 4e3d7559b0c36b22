"""Do the attributes that a task names exist, and can they be asked and compared like that?"""

from __future__ import annotations

from collections.abc import Iterable

from model.errors import InvalidTask
from model.tasks.profile import AttributeProfile, LogProfile
from model.tasks.task import Column, Condition, Next, Task

_SHOWN = 20


def asked_attribute(task: Task) -> str | None:
    """The attribute that the answer is a value of; None if it is no attribute."""
    match task.target:
        case Next(of=name) if name != "event_type":
            return name
        case Column(column=name):
            return f"event.{name}"
    return None


def check_attributes(task: Task, profile: LogProfile) -> None:
    """Let a task pass whose attributes the log has and can compare.

    Raises:
        InvalidTask: the log lacks an attribute or a value, an operator does not fit it, or the
            answer is known before the question.
    """
    asked = asked_attribute(task)
    if isinstance(task.target, Column) and task.target.column not in profile.columns:
        known = _listed(profile.columns, "the events have no further columns")
        raise InvalidTask(task.name, f"the events have no column {task.target.column!r}; {known}")
    if asked is not None:
        _check_asked(task, asked, _attribute(task, asked, profile))
    for condition in task.target.where:
        attribute = _attribute(task, condition.attribute, profile)
        if condition.attribute == asked and task.for_each_value is None:
            raise InvalidTask(
                task.name,
                f"{asked} is what the task asks for, and a condition of it too: the condition "
                "gives the answer away, leave it out",
            )
        _check_condition(task, condition, attribute)
    if task.for_each is not None:
        _attribute(task, task.for_each, profile)


def _check_asked(task: Task, name: str, attribute: AttributeProfile) -> None:
    if isinstance(task.target, Next) and attribute.kind == "number":
        raise InvalidTask(
            task.name, f"a next target asks for one of a few values, but {name} is a number"
        )
    owner = name.partition(".")[0]
    if owner == task.entity:
        raise InvalidTask(
            task.name,
            f"{name} is the {owner}'s own: it is known before any event, and an input of the "
            "model; there is nothing to predict",
        )


def _attribute(task: Task, name: str, profile: LogProfile) -> AttributeProfile:
    found = profile.attributes.get(name)
    if found is None:
        known = _listed(profile.attributes, "the log has no attributes")
        raise InvalidTask(task.name, f"the log has no attribute {name!r}; {known}")
    return found


def _check_condition(task: Task, condition: Condition, attribute: AttributeProfile) -> None:
    name, op = condition.attribute, condition.op
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if attribute.kind == "number":
        texts = [value for value in wanted if isinstance(value, str)]
        if texts:
            raise InvalidTask(
                task.name, f"{name} is a number and cannot be compared with {texts[0]!r}"
            )
        return
    if op in {"<", "<=", ">", ">="}:
        raise InvalidTask(
            task.name, f"{name} is a category: {op} compares numbers; use ==, != or in"
        )
    numbers = [value for value in wanted if not isinstance(value, str)]
    if numbers:
        raise InvalidTask(
            task.name,
            f"{name} is a category: compare it with a text, as in '{numbers[0]:g}', not with a "
            "number",
        )
    if attribute.values is None or attribute.has_more:
        return
    unknown = [value for value in wanted if value not in attribute.values]
    if unknown:
        known = _listed(map(repr, attribute.values), "it has no values")
        raise InvalidTask(task.name, f"{name} is never {unknown[0]!r}; {known}")


def _listed(names: Iterable[str], none: str) -> str:
    found = list(names)
    if not found:
        return none
    return "there are " + ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
