"""Can these tasks be learnt from this log at all?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model.errors import InvalidTask
from model.tasks.conditions import asked_attribute, check_attributes
from model.tasks.profile import LogProfile
from model.tasks.task import Column, Sum, Task

MAX_DECLARED_NAME = 63
"""Of a task with `for_each`: its name is the beginning of others."""
_SHOWN_TYPES = 20


def check_tasks(tasks: Sequence[Task], profile: LogProfile) -> None:
    """Let only tasks pass whose labels the log can give.

    Raises:
        InvalidTask: two tasks have one name, or a task asks for an event type, an attribute, a
            value or an entity that the log does not have, contradicts itself, looks further ahead
            than the log is long, or asks about time where there is none.
    """
    for name, count in Counter(task.name for task in tasks).items():
        if count > 1:
            raise InvalidTask(name, f"there are {count} tasks of this name")
    for task in tasks:
        _check_event_types(task, profile)
        _check_entity(task, profile)
        if profile.has_time:
            _check_horizon(task, profile)
        else:
            _check_timeless(task)
        check_attributes(task, profile)
        _check_for_each(task, profile)
        if isinstance(task.target, Sum) and not profile.has_value:
            raise InvalidTask(
                task.name,
                "the log has nothing to sum: map a value, or a quantity and a price, and import "
                "the events again",
            )


def _check_event_types(task: Task, profile: LogProfile) -> None:
    asked = (task.target.event_type, *(rule.event_type for rule in task.eligible))
    for name in asked:
        if name is None or name in profile.event_types:
            continue
        ordered = sorted(profile.event_types.items(), key=lambda item: (-item[1], item[0]))
        known = ", ".join(f"{known} ({count:,})" for known, count in ordered[:_SHOWN_TYPES])
        more = ", ..." if len(ordered) > _SHOWN_TYPES else ""
        raise InvalidTask(task.name, f"the log has no event type {name!r}; it has {known}{more}")


def _check_entity(task: Task, profile: LogProfile) -> None:
    if task.entity in {"user", "pair"} and profile.users == 0:
        raise InvalidTask(task.name, f"a task for each {task.entity}, but no event has a user")
    if task.entity in {"item", "pair"} and profile.items == 0:
        raise InvalidTask(task.name, f"a task for each {task.entity}, but no event has an item")


def _check_horizon(task: Task, profile: LogProfile) -> None:
    if task.end_days < profile.span_days:
        return
    window = f"the horizon of {task.horizon_days} days"
    if task.start_days:
        window += f" that begins after {task.start_days}"
    raise InvalidTask(
        task.name,
        f"{window} is not shorter than the log, which spans "
        f"{profile.span_days:.1f} days ({profile.first_at:%Y-%m-%d} to {profile.last_at:%Y-%m-%d})",
    )


def _check_timeless(task: Task) -> None:
    if not isinstance(task.target, Column):
        raise InvalidTask(
            task.name,
            f"the log has no times, and the target {task.target.kind} needs them: only column "
            "targets can be learned",
        )
    if task.eligible or task.start_days:
        raise InvalidTask(
            task.name,
            "the log has no times, so nothing comes before or after anything: leave out eligible "
            "and start_days",
        )


def _check_for_each(task: Task, profile: LogProfile) -> None:
    if task.for_each is None or task.declared_as is not None:
        return
    if len(task.name) > MAX_DECLARED_NAME:
        raise InvalidTask(
            task.name, f"with for_each a name has at most {MAX_DECLARED_NAME} characters"
        )
    attribute = profile.attributes[task.for_each]
    if attribute.kind == "number":
        raise InvalidTask(
            task.name,
            f"for_each: {task.for_each} is a number; only a category has values to stand for",
        )
    if task.for_each == asked_attribute(task):
        raise InvalidTask(
            task.name,
            f"for_each: {task.for_each} is what the task asks for, so each has one answer",
        )
