"""Outcomes as they are stated: what is refused, and what they imply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from model.distributions import Bounds, Layout, Scale
from model.errors import InvalidOutcome, UnknownTask
from model.prediction.implications import Implications, Stated
from model.prediction.outcomes import labels_of, read_outcomes
from model.tasks import (
    Column,
    Condition,
    Count,
    Next,
    Occurs,
    PeakPeriod,
    Sum,
    Target,
    Task,
    TimeTo,
)

SHOES = Condition(attribute="item.category", value="shoes")
RED = Condition(attribute="item.color", value="red")


def task(name: str, target: Target, horizon_days: int = 30, start_days: int = 0) -> Task:
    return Task(
        name=name, entity="user", target=target, horizon_days=horizon_days, start_days=start_days
    )


BUY = "buy"
TASKS = (
    task("buys_7", Occurs(event_type=BUY), 7),
    task("buys_30", Occurs(event_type=BUY)),
    task("buys_later", Occurs(event_type=BUY), 23, start_days=7),
    task("buys_shoes", Occurs(event_type=BUY, where=(SHOES,))),
    task("buys_red_shoes", Occurs(event_type=BUY, where=(RED, SHOES))),
    task("views_7", Occurs(event_type="view"), 7),
    task("orders_7", Count(event_type=BUY), 7),
    task("orders_30", Count(event_type=BUY)),
    task("days_30", Count(event_type=BUY, of="days")),
    task("units_30", Count(event_type=BUY, of="units")),
    task("gifts_30", Count(event_type="gift", of="units")),
    task("gets_30", Occurs(event_type="gift")),
    task("spend_7", Sum(event_type=BUY), 7),
    task("spend_30", Sum(event_type=BUY)),
    task("until_30", TimeTo(event_type=BUY)),
    task("until_14", TimeTo(event_type=BUY), 14),
    task("stars", Column(column="stars")),
    task("color", Column(column="color")),
    task("next", Next()),
    task("month", PeakPeriod(event_type=BUY), 365),
)
LAYOUT = Layout(TASKS, {"color": ("red", "blue"), "next": ("buy", "view")})
LEAST = {"units_30": 1.0, "gifts_30": 0.0, "spend_7": 0.5, "spend_30": 0.5}


def read(**outcomes: Any) -> tuple[Stated, ...]:
    return read_outcomes(LAYOUT, outcomes, LEAST)


def bounds(of: str, **outcomes: Any) -> Bounds:
    """What is left of a task once others are known."""
    (asked,) = [task for task in TASKS if task.name == of]
    return Implications(read(**outcomes), LEAST).bounds(asked)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({"buys_7": 1}, "1 is no outcome of an occurs task: state true or false"),
        ({"buys_7": None}, "null"),
        ({"buys_7": "yes"}, "'yes'"),
        ({"orders_7": True}, "true is no outcome"),
        ({"orders_7": -1}, "-1"),
        ({"orders_7": 1.5}, "1.5"),
        ({"orders_7": math.inf}, "inf"),
        ({"spend_7": -0.01}, "-0.01"),
        ({"spend_7": math.nan}, "nan"),
        ({"spend_7": 1e300}, "1e\\+300"),
        ({"until_30": 0}, "more than 0 and at most 30 days"),
        ({"until_30": 31}, "or null if it comes later"),
        ({"until_30": False}, "false"),
        ({"stars": "5"}, "state a number"),
        ({"stars": math.inf}, "finite"),
        ({"color": "red"}, "says nothing of other tasks"),
        ({"next": "buy"}, "says nothing of other tasks"),
        ({"month": 3}, "says nothing of other tasks"),
        ({"days_30": 32}, "32 active days are more than 30 days have"),
    ],
)
def test_what_no_outcome_can_be_is_refused(outcomes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOutcome, match=said) as caught:
        read(**outcomes)
    assert caught.value.task == next(iter(outcomes))


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(UnknownTask, match="nothing_7"):
        read(nothing_7=True)


@pytest.mark.parametrize(
    "outcomes",
    [
        {"buys_7": True, "buys_30": False},
        {"buys_30": True, "orders_30": 0},
        {"buys_30": False, "orders_30": 2},
        {"buys_30": True, "spend_30": 0},
        {"buys_30": False, "spend_30": 3.5},
        {"buys_30": True, "units_30": 0},
        {"until_30": 5, "buys_7": False},
        {"until_30": 9, "buys_7": True},
        {"until_30": None, "buys_30": True},
        {"until_30": 5, "until_14": 6},
        {"until_30": 20, "until_14": 6},
        {"until_30": 5, "until_14": None},
        {"buys_7": False, "buys_later": False, "buys_30": True},
        {"buys_red_shoes": True, "buys_shoes": False},
        {"buys_shoes": True, "buys_30": False},
        {"orders_7": 3, "orders_30": 2},
        {"days_30": 3, "orders_30": 2},
        {"spend_7": 50, "spend_30": 40},
        {"gifts_30": 1, "gets_30": False},
    ],
)
def test_outcomes_that_cannot_be_together_are_refused(outcomes: dict[str, Any]) -> None:
    with pytest.raises(InvalidOutcome, match="cannot be beside") as caught:
        read(**outcomes)
    assert all(name in str(caught.value) for name in outcomes)
    for name, value in outcomes.items():
        read(**{name: value})  # alone it may be


@pytest.mark.parametrize(
    "outcomes",
    [
        {"buys_7": False, "buys_30": True, "buys_later": True},
        {"until_30": 7, "buys_7": True, "until_14": 7},
        {"until_30": 9, "buys_7": False, "buys_later": True, "orders_30": 2, "spend_30": 4},
        {"until_14": None, "until_30": 20, "buys_7": False},
        {"until_30": None, "buys_30": False, "orders_30": 0, "spend_30": 0, "days_30": 0},
        {"gets_30": True, "gifts_30": 0},  # a gift may be of nothing
        {"orders_30": 3, "days_30": 3, "orders_7": 3, "spend_7": 40, "spend_30": 40},
        {"views_7": True, "buys_30": False, "stars": -2.5},
        {"buys_shoes": False, "buys_30": True, "buys_red_shoes": False},
    ],
)
def test_outcomes_that_may_be_together_are_read(outcomes: dict[str, Any]) -> None:
    assert {one.task.name for one in read(**outcomes)} == set(outcomes)


@pytest.mark.parametrize(
    ("outcomes", "of", "happens"),
    [
        ({"buys_7": True}, "buys_30", True),
        ({"buys_30": False}, "buys_7", False),
        ({"buys_7": False}, "buys_30", None),
        ({"buys_30": True}, "buys_7", None),
        ({"buys_30": True, "buys_7": False}, "buys_later", True),
        ({"buys_30": True, "buys_later": False}, "buys_7", True),
        ({"until_30": 9}, "buys_7", False),
        ({"until_30": 9}, "buys_30", True),
        ({"until_30": 7}, "buys_7", True),
        ({"until_30": None}, "orders_30", False),
        ({"orders_7": 2}, "buys_30", True),
        ({"orders_7": 0}, "buys_7", False),
        ({"spend_7": 2}, "until_30", True),
        ({"spend_7": 0}, "buys_7", False),
        ({"gifts_30": 0}, "gets_30", None),
        ({"gets_30": True}, "gifts_30", None),
        ({"gets_30": False}, "gifts_30", False),
        ({"buys_red_shoes": True}, "buys_30", True),
        ({"buys_30": False}, "buys_red_shoes", False),
        ({"buys_shoes": True}, "buys_red_shoes", None),
        ({"views_7": True}, "buys_7", None),
        ({"buys_7": True}, "stars", None),
    ],
)
def test_what_follows(outcomes: dict[str, Any], of: str, happens: bool | None) -> None:
    assert bounds(of, **outcomes).happens is happens


def test_amounts_grow_with_their_windows() -> None:
    assert bounds("orders_30", orders_7=3) == Bounds(happens=True, least=3)
    assert bounds("orders_7", orders_30=2).most == 2
    assert bounds("orders_30", days_30=4).least == 4
    assert bounds("days_30", orders_30=4).most == 4
    assert bounds("spend_30", spend_7=20.5) == Bounds(happens=True, least=20.5)
    assert bounds("orders_30", buys_7=True) == Bounds(happens=True, least=1)


def test_totals_that_may_fall_have_no_bounds() -> None:
    (spend_30,) = [task for task in TASKS if task.name == "spend_30"]
    known = read(spend_7=20.5)
    assert Implications(known, {"spend_30": -3.0}).bounds(spend_30) == Bounds()


def test_times_lie_between_what_is_known() -> None:
    found = bounds("until_30", buys_7=False, buys_30=True)
    assert (found.least, found.most, found.happens) == (7, 30, True)
    assert bounds("until_30", until_14=None).least == 14
    assert bounds("until_14", until_30=20) == Bounds(happens=False, least=14)
    assert bounds("until_30", buys_later=True) == Bounds(happens=True, most=30)
    assert bounds("until_30", buys_30=False).happens is False


def test_nothing_known_leaves_everything_open() -> None:
    assert all(Implications((), LEAST).bounds(task).is_open for task in TASKS)


def test_labels_are_as_the_likelihoods_take_them() -> None:
    stated = read(buys_7=False, orders_30=2, spend_30=math.e, until_30=15, stars=4, until_14=None)
    scales = {"spend_30": Scale(0.5, 2.0), "stars": Scale(3.0, 0.5)}
    labels = dict(
        zip([t.name for t in LAYOUT.tasks], labels_of(LAYOUT, stated, scales), strict=True)
    )
    found = {name: value for name, value in labels.items() if not np.isnan(value)}
    assert found == {
        "buys_7": 0,
        "orders_30": 2,
        "spend_30": 0.25,
        "until_30": 0.5,
        "until_14": math.inf,
        "stars": 2,
    }
    nothing = labels_of(LAYOUT, read(spend_30=0), scales)
    assert nothing[LAYOUT.position("spend_30")] == -math.inf


def test_too_many_outcomes_are_refused() -> None:
    many = [task(f"t{n}", Occurs(event_type=f"e{n}")) for n in range(101)]
    with pytest.raises(InvalidOutcome, match="101 stated outcomes: at most 100"):
        read_outcomes(Layout(many), {one.name: True for one in many}, {})
