"""Good default tasks for a log, from its event types and its length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from model.tasks.profile import LogProfile
from model.tasks.task import Count, Occurs, PeakPeriod, Sum, Task

HORIZONS_PER_LOG = 4
"""A horizon is suggested if the log is at least so many times as long."""

_SHORT_DAYS, _MAIN_DAYS, _LONG_DAYS = 7, 30, 90
_SHORTER_DAYS = (14, 7, 3, 2, 1)
_DAYS_FOR_MONTHS = 365 + 90
_FREQUENT_SHARE = 0.005

_CONVERSION = re.compile(
    r"purchas|order|buy|bought|sale|sold|checkout|transaction|paid|payment|购买|下单|付款|支付|成交",
    re.IGNORECASE,
)
_UNDOING = re.compile(r"return|refund|cancel|remove|fail|abandon|退", re.IGNORECASE)


@dataclass(frozen=True)
class Suggestion:
    """A task and a sentence that says what it is good for."""

    task: Task
    why: str


def suggest(profile: LogProfile) -> list[Suggestion]:
    """Tasks around the event type that matters most; none if the log is shorter than 4 days."""
    main_days = _main_horizon(profile)
    if main_days is None:
        return []
    event_type = conversion_type(profile)
    found: list[Suggestion] = []
    if profile.users:
        found += _for_users(profile, event_type, main_days)
    if profile.items:
        found += _for_items(profile, event_type, main_days)
    if profile.users and profile.items:
        found.append(
            Suggestion(
                Task(
                    name=f"pair_{_word(event_type)}_{main_days}d",
                    entity="pair",
                    target=Occurs(event_type=event_type),
                    horizon_days=main_days,
                ),
                f"Which item to show to which user: the chance of a {event_type!r} of this user "
                f"with this item within {main_days} days.",
            )
        )
    return found


def conversion_type(profile: LogProfile) -> str:
    """The event type a shop most likely cares for.

    The most frequent one that is called like a purchase; without such a name the rarest of those
    that make up at least half a percent of the log.
    """
    counts = profile.event_types
    wanted = [name for name in counts if not _UNDOING.search(name)] or list(counts)
    named = [name for name in wanted if _CONVERSION.search(name)]
    if named:
        return max(named, key=lambda name: (counts[name], name))
    floor = _FREQUENT_SHARE * sum(counts.values())
    frequent = [name for name in wanted if counts[name] >= floor] or wanted
    return min(frequent, key=lambda name: (counts[name], name))


def _fits(days: int, profile: LogProfile) -> bool:
    return profile.span_days >= HORIZONS_PER_LOG * days


def _main_horizon(profile: LogProfile) -> int | None:
    return next((days for days in (_MAIN_DAYS, *_SHORTER_DAYS) if _fits(days, profile)), None)


def _for_users(profile: LogProfile, event_type: str, main_days: int) -> Iterator[Suggestion]:
    word = _word(event_type)
    horizons = {main_days, *(d for d in (_SHORT_DAYS, _LONG_DAYS) if _fits(d, profile))}
    for days in sorted(horizons):
        yield Suggestion(
            Task(
                name=f"user_{word}_{days}d",
                entity="user",
                target=Occurs(event_type=event_type),
                horizon_days=days,
            ),
            f"Who will have a {event_type!r} within {days} days, and how likely.",
        )
    yield Suggestion(
        Task(
            name=f"user_{word}_days_{main_days}d",
            entity="user",
            target=Count(event_type=event_type, of="days"),
            horizon_days=main_days,
        ),
        f"How often: the number of days with a {event_type!r} within {main_days} days.",
    )
    if profile.has_value:
        yield Suggestion(
            Task(
                name=f"user_{word}_value_{main_days}d",
                entity="user",
                target=Sum(event_type=event_type),
                horizon_days=main_days,
            ),
            f"What each user is worth: the value of {event_type!r} within {main_days} days.",
        )


def _for_items(profile: LogProfile, event_type: str, main_days: int) -> Iterator[Suggestion]:
    word = _word(event_type)
    of = "units" if profile.has_quantity else "events"
    yield Suggestion(
        Task(
            name=f"item_{word}_{of}_{main_days}d",
            entity="item",
            target=Count(event_type=event_type, of="units" if profile.has_quantity else "events"),
            horizon_days=main_days,
        ),
        f"How much to stock: the {of} of {event_type!r} within {main_days} days.",
    )
    if profile.span_days >= _DAYS_FOR_MONTHS:
        target = PeakPeriod(event_type=event_type, period="month_of_year")
        yield Suggestion(
            _peak(f"item_{word}_best_month", target),
            "When each item sells best: the month of the coming year with the most units.",
        )
    elif _fits(7, profile):
        target = PeakPeriod(event_type=event_type, period="weekday")
        yield Suggestion(
            _peak(f"item_{word}_best_weekday", target),
            "When each item sells best: the weekday of the coming week with the most units (the "
            "log is too short for months).",
        )


def _peak(name: str, target: PeakPeriod) -> Task:
    return Task(name=name, entity="item", target=target)


def _word(event_type: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", event_type.lower()).strip("_")[:30].strip("_")
    return word or "event"
