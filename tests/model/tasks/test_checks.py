from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from model.errors import InvalidTask
from model.events import EventLog
from model.tasks import (
    AttributeProfile,
    Count,
    LogProfile,
    Occurs,
    PeakPeriod,
    Sum,
    Task,
    check_tasks,
    profile_of,
)
from model.tasks.profile import SHOWN_VALUES

PROFILE = LogProfile(
    event_types={"view": 12_000, "purchase": 300},
    first_at=datetime(2024, 1, 1, tzinfo=UTC),
    last_at=datetime(2024, 2, 10, tzinfo=UTC),
    users=50,
    items=20,
    has_value=True,
    has_quantity=True,
    columns={"rating": "number", "channel": "category"},
    attributes={
        "item.category": AttributeProfile("category", ("shoes", "hats")),
        "item.brand": AttributeProfile("category", tuple("abc"), has_more=True),
        "item.colour": AttributeProfile("category"),
        "item.weight": AttributeProfile("number"),
        "user.group": AttributeProfile("category", ("gold",)),
        "event.rating": AttributeProfile("number"),
        "event.channel": AttributeProfile("category", ("web", "app")),
    },
)
TIMELESS = replace(PROFILE, has_time=False)


def asking(kind: str = "occurs", **fields: object) -> dict[str, object]:
    return {"target": {"kind": kind, "event_type": "purchase"} | fields}


def where(attribute: str, value: object, op: str = "==") -> dict[str, object]:
    return asking(where=[{"attribute": attribute, "value": value, "op": op}])


def task(name: str = "t", **changes: object) -> Task:
    plain = {
        "name": name,
        "entity": "user",
        "target": Occurs(event_type="purchase"),
        "horizon_days": 7,
    }
    return Task.model_validate(plain | changes)


def test_tasks_that_the_log_can_give_pass() -> None:
    check_tasks(
        [
            task("a"),
            task("b", entity="pair"),
            task("c", target=Sum(event_type="purchase"), horizon_days=39),
            task("d", entity="item", target=Count(event_type="view", of="units")),
            task("e", **where("item.category", "shoes"), start_days=30),
            task("f", **where("item.category", ["shoes", "hats"], "in")),
            task("g", **where("item.brand", "one of many")),
            task("h", **where("item.colour", "not looked at")),
            task("i", **where("event.rating", 3, ">=")),
            task("j", **asking("next", of="item.category")),
            task("k", **asking("next", of="event_type", event_type=None)),
            task("l", **asking("column", column="rating"), entity="pair"),
            task("m", **asking("time_to"), eligible=[{"within_days": 9, "event_type": "view"}]),
            task("n", for_each="item.category"),
        ],
        PROFILE,
    )
    check_tasks([task(**asking("column", column="rating"), entity="pair")], TIMELESS)


@pytest.mark.parametrize(
    ("wrong", "profile", "words"),
    [
        (
            task(target=Occurs(event_type="bought")),
            PROFILE,
            r"no event type 'bought'; it has view \(12,000\), purchase \(300\)",
        ),
        (task(horizon_days=40), PROFILE, r"40 days .* 40\.0 days \(2024-01-01 to 2024-02-10\)"),
        (
            task(entity="item", target=PeakPeriod(event_type="view"), horizon_days=0),
            PROFILE,
            "365 days",
        ),
        (
            task(target=Sum(event_type="purchase")),
            replace(PROFILE, has_value=False),
            "nothing to sum",
        ),
        (task(entity="pair"), replace(PROFILE, users=0), "no event has a user"),
        (task(entity="item"), replace(PROFILE, items=0), "no event has an item"),
        (
            task(horizon_days=20, start_days=20),
            PROFILE,
            "20 days that begins after 20 is not shorter than the log",
        ),
        (
            task(eligible=[{"within_days": 7, "event_type": "look"}]),
            PROFILE,
            "no event type 'look'",
        ),
        (
            task(**where("item.categorie", "shoes")),
            PROFILE,
            r"no attribute 'item.categorie'; there are item.category, item.brand",
        ),
        (
            task(**where("item.category", "shoe")),
            PROFILE,
            "item.category is never 'shoe'; there are 'shoes', 'hats'",
        ),
        (task(**where("item.category", ["hats", "x"], "in")), PROFILE, "never 'x'"),
        (task(**where("item.category", 3, "<")), PROFILE, "is a category: < compares numbers"),
        (task(**where("item.category", 3)), PROFILE, "compare it with a text, as in '3'"),
        (task(**where("item.weight", "heavy")), PROFILE, "a number and cannot be .* 'heavy'"),
        (
            task(**asking("column", column="stars")),
            PROFILE,
            "no column 'stars'; there are rating, channel",
        ),
        (
            task(**asking("column", column="stars")),
            replace(PROFILE, columns={}),
            "the events have no further columns",
        ),
        (
            task(
                **asking(
                    "column", column="rating", where=[{"attribute": "event.rating", "value": 1}]
                )
            ),
            PROFILE,
            "event.rating is what the task asks for, and a condition of it too",
        ),
        (task(**asking("next", of="item.weight")), PROFILE, "item.weight is a number"),
        (task(**asking("next", of="user.group")), PROFILE, "user.group is the user's own"),
        (task(for_each="item.weight"), PROFILE, "item.weight is a number; only a category"),
        (task(for_each="item.size"), PROFILE, "no attribute 'item.size'"),
        (
            task(**asking("column", column="channel"), for_each="event.channel"),
            PROFILE,
            "event.channel is what the task asks for",
        ),
        (task(), TIMELESS, "no times, and the target occurs needs them: only column targets"),
        (
            task(**asking("column", column="rating"), eligible=[{"within_days": 9}]),
            TIMELESS,
            "leave out eligible",
        ),
    ],
)
def test_what_the_log_cannot_give_is_said(wrong: Task, profile: LogProfile, words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        check_tasks([wrong, task("fine")], profile)
    assert caught.value.task == "t"


def test_two_tasks_of_one_name() -> None:
    with pytest.raises(InvalidTask, match="2 tasks of this name"):
        check_tasks([task("a"), task("a", horizon_days=3)], PROFILE)


def test_a_long_list_of_types_is_cut() -> None:
    profile = replace(PROFILE, event_types={f"type{n}": n for n in range(100)})
    with pytest.raises(InvalidTask, match=r"type80 \(80\), \.\.\.$"):
        check_tasks([task()], profile)


def test_the_profile_of_a_log_in_memory() -> None:
    events = pd.DataFrame(
        {
            "user": ["u1", "u2", None],
            "item": ["i1", "i1", "i2"],
            "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-10"], utc=True),
            "event_type": ["view", "purchase", "view"],
            "quantity": [None, 2.0, None],
        }
    )
    profile = profile_of(EventLog.from_frames(events))
    assert profile == LogProfile(
        event_types={"view": 2, "purchase": 1},
        first_at=datetime(2024, 1, 1, tzinfo=UTC),
        last_at=datetime(2024, 2, 10, tzinfo=UTC),
        users=2,
        items=2,
        has_value=False,
        has_quantity=True,
        attributes={
            "event.quantity": AttributeProfile("number"),
            "event.price": AttributeProfile("number"),
            "event.value": AttributeProfile("number"),
        },
    )


def test_the_profile_knows_the_attributes_and_their_values() -> None:
    names = [f"i{n}" for n in range(SHOWN_VALUES + 1)]
    events = pd.DataFrame(
        {
            "user": "u",
            "item": names,
            "time": pd.Timestamp("2024-01-01", tz="UTC"),
            "event_type": "view",
        }
    )
    items = pd.DataFrame({"item": names, "name": names, "kind": ["a", *["b"] * SHOWN_VALUES]})
    users = pd.DataFrame({"user": ["u"], "age": [30]})
    attributes = profile_of(EventLog.from_frames(events, users, items)).attributes
    assert attributes["item.kind"] == AttributeProfile("category", ("b", "a"))
    assert attributes["user.age"] == AttributeProfile("number")
    shown = tuple(sorted(names)[:SHOWN_VALUES])
    assert attributes["item.name"] == AttributeProfile("category", shown, has_more=True)
