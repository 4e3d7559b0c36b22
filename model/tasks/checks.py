"""Can these tasks be learnt from this log at all?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model.errors import InvalidTask
from model.tasks.profile import LogProfile
from model.tasks.task import Task

_SHOWN_TYPES = 20


def check_tasks(tasks: Sequence[Task], profile: LogProfile) -> None:
    """Let only tasks pass whose labels the log can give.

    Raises:
        InvalidTask: two tasks have one name, or a task asks for an event type, a value or an entity
            that the log does not have, or looks further ahead than the log is long.
    """
    for name, count in Counter(task.name for task in tasks).items():
        if count > 1:
            raise InvalidTask(name, f"there are {count} tasks of this name")
    for task in tasks:
        _check_event_type(task, profile)
        _check_entity(task, profile)
        _check_horizon(task, profile)
        if task.target.kind == "sum" and not profile.has_value:
            raise InvalidTask(
                task.name,
                "the log has nothing to sum: map a value, or a quantity and a price, and import "
                "the events again",
            )


def _check_event_type(task: Task, profile: LogProfile) -> None:
    if task.target.event_type in profile.event_types:
        return
    ordered = sorted(profile.event_types.items(), key=lambda item: (-item[1], item[0]))
    known = ", ".join(f"{name} ({count:,})" for name, count in ordered[:_SHOWN_TYPES])
    more = ", ..." if len(ordered) > _SHOWN_TYPES else ""
    raise InvalidTask(
        task.name, f"the log has no event type {task.target.event_type!r}; it has {known}{more}"
    )


def _check_entity(task: Task, profile: LogProfile) -> None:
    if task.entity in {"user", "pair"} and profile.users == 0:
        raise InvalidTask(task.name, f"a task for each {task.entity}, but no event has a user")
    if task.entity in {"item", "pair"} and profile.items == 0:
        raise InvalidTask(task.name, f"a task for each {task.entity}, but no event has an item")


def _check_horizon(task: Task, profile: LogProfile) -> None:
    if task.horizon_days < profile.span_days:
        return
    raise InvalidTask(
        task.name,
        f"the horizon of {task.horizon_days} days is not shorter than the log, which spans "
        f"{profile.span_days:.1f} days ({profile.first_at:%Y-%m-%d} to {profile.last_at:%Y-%m-%d})",
    )
