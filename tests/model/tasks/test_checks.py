from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from model.errors import InvalidTask
from model.events import EventLog
from model.tasks import Count, LogProfile, Occurs, PeakPeriod, Sum, Task, check_tasks, profile_of

PROFILE = LogProfile(
    event_types={"view": 12_000, "purchase": 300},
    first_at=datetime(2024, 1, 1, tzinfo=UTC),
    last_at=datetime(2024, 2, 10, tzinfo=UTC),
    users=50,
    items=20,
    has_value=True,
    has_quantity=True,
)


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
        ],
        PROFILE,
    )


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
    )
