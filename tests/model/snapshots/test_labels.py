from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.events import MICROSECONDS_PER_DAY, EventLog, exposure_hours, to_microseconds
from model.snapshots import PeriodLabels
from model.snapshots.choices import Choices
from model.snapshots.labels import Label, Labels
from model.snapshots.outcomes import Asked, Outcomes
from model.tasks import (
    Column,
    Count,
    EntityKind,
    Next,
    Occurs,
    PeakPeriod,
    PeriodName,
    Sum,
    Target,
    Task,
    TimeTo,
)
from tests.model.made_logs import TIME_ZONE, random_events, random_tables
from tests.model.snapshots.described_logs import can_be_asked, described

CUTOFF = pd.Timestamp("2023-04-20 00:00", tz="UTC")
CUTOFF_US = to_microseconds(CUTOFF)
FAR_US = CUTOFF_US + 4000 * MICROSECONDS_PER_DAY
TARGETS: tuple[Target, ...] = (
    Occurs(event_type="purchase"),
    Count(event_type="purchase"),
    Count(event_type="purchase", of="units"),
    Count(event_type="purchase", of="days"),
    Sum(event_type="purchase"),
    TimeTo(event_type="purchase"),
)


def task_of(target: Target, days: int, entity: EntityKind = "user", **more: Any) -> Task:
    return Task(name="t", entity=entity, target=target, horizon_days=days, **more)


def everyone(log: EventLog, entity: EntityKind) -> Asked:
    """All users or items, or all users with all items."""
    users = np.arange(len(log.users), dtype=np.int64)
    items = np.arange(len(log.items), dtype=np.int64)
    nobody = np.full(0, -1, dtype=np.int64)
    if entity == "pair":
        users, items = (side.ravel() for side in np.meshgrid(users, items))
    size = len(items if entity == "item" else users)
    cutoffs_us = np.full(size, CUTOFF_US, dtype=np.int64)
    return Asked(
        entity,
        nobody if entity == "item" else users,
        nobody if entity == "user" else items,
        cutoffs_us,
    )


def ids_of(log: EventLog, asked: Asked) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{} for _ in range(len(asked))]
    if asked.entity != "item":
        for key, user in zip(found, asked.users, strict=True):
            key["user"] = str(log.users.ids[user])
    if asked.entity != "user":
        for key, item in zip(found, asked.items, strict=True):
            key["item"] = str(log.items.ids[item])
    return found


def any_labels_of(
    log: EventLog,
    task: Task,
    end_us: int = FAR_US,
    classes: Mapping[str, tuple[str, ...]] | None = None,
) -> Label:
    asked = everyone(log, task.entity)
    match task.entity:
        case "user":
            events, codes = log.user_events, asked.users
        case "item":
            events, codes = log.item_events, asked.items
        case "pair":
            events, codes = log.pair_events.events, log.pair_events.codes(asked.users, asked.items)
    outcomes = Outcomes(events, codes, asked)
    return Labels(outcomes, Choices(log, events), classes or {}, end_us).of(task)


def labels_of(
    log: EventLog,
    task: Task,
    end_us: int = FAR_US,
    classes: Mapping[str, tuple[str, ...]] | None = None,
) -> np.ndarray:
    found = any_labels_of(log, task, end_us, classes)
    assert not isinstance(found, PeriodLabels)
    assert found.dtype == np.float32
    return found


def period_labels_of(log: EventLog, task: Task, end_us: int = FAR_US) -> PeriodLabels:
    found = any_labels_of(log, task, end_us)
    assert isinstance(found, PeriodLabels)
    return found


conditions = st.sampled_from(
    [
        {"attribute": "item.category", "value": "shoes"},
        {"attribute": "item.category", "op": "!=", "value": "shoes"},
        {"attribute": "item.category", "op": "in", "value": ["hats", "gloves"]},
        {"attribute": "item.weight", "op": ">=", "value": 0.4},
        {"attribute": "user.group", "value": "a"},
        {"attribute": "user.age", "op": "<", "value": 50},
        {"attribute": "event.rating", "op": ">", "value": 2},
        {"attribute": "event.rating", "op": "<=", "value": 4},
        {"attribute": "event.rating", "op": "in", "value": [1, 5]},
        {"attribute": "event.rating", "op": "!=", "value": 3},
        {"attribute": "event.channel", "op": "in", "value": ["web", "app"]},
        {"attribute": "event.channel", "value": "nowhere"},
    ]
)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    target=st.sampled_from(TARGETS),
    where=st.lists(conditions, max_size=2),
    entity=st.sampled_from(["user", "item", "pair"]),
    start_days=st.sampled_from([0, 0, 5, 20]),
    days=st.integers(1, 45),
)
def test_a_label_is_what_happens_within_its_window(
    seed: int,
    target: Target,
    where: list[dict[str, Any]],
    entity: EntityKind,
    start_days: int,
    days: int,
) -> None:
    if entity == "pair" and target.kind not in {"occurs", "time_to"}:
        entity = "user"
    log, oracle = described(seed)
    target = type(target).model_validate(target.model_dump() | {"where": where})
    task = task_of(target, days, entity, start_days=start_days)
    keys = ids_of(log, everyone(log, entity))
    expected = [
        oracle.label(task, key, CUTOFF) if can_be_asked(oracle, task, key, CUTOFF) else np.nan
        for key in keys
    ]
    found = labels_of(log, task)
    if isinstance(target, Count) and target.of == "units":
        assert np.array_equal(found, np.rint(found), equal_nan=True)
        np.testing.assert_allclose(found, expected, atol=0.5 + 1e-4)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


VALUE_TARGETS: tuple[Target, ...] = (
    Next(),
    Next(event_type="purchase", of="item.category"),
    Next(of="event.channel"),
    Column(column="channel"),
    Column(column="channel", event_type="view"),
    Column(column="rating"),
)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    target=st.sampled_from(VALUE_TARGETS),
    where=st.lists(conditions, max_size=1),
    entity=st.sampled_from(["user", "item"]),
    start_days=st.sampled_from([0, 5]),
    days=st.integers(1, 30),
)
def test_the_value_of_the_first_event_that_has_one(
    seed: int,
    target: Target,
    where: list[dict[str, Any]],
    entity: EntityKind,
    start_days: int,
    days: int,
) -> None:
    log, oracle = described(seed)
    target = type(target).model_validate(target.model_dump() | {"where": where})
    task = task_of(target, days, entity, start_days=start_days)
    classes = ("hats", "purchase", "view", "web", "other")
    found = labels_of(log, task, classes={"t": classes})
    for row, key in enumerate(ids_of(log, everyone(log, entity))):
        expected = oracle.first_value(task, key, CUTOFF)
        if expected is None or not can_be_asked(oracle, task, key, CUTOFF):
            assert np.isnan(found[row])
        elif isinstance(expected, float):
            assert found[row] == np.float32(expected)
        else:
            name = expected if expected in classes else "other"
            assert classes[int(found[row])] == name


def test_a_value_that_is_no_class_has_no_label_unless_there_is_a_class_for_the_rest() -> None:
    log, oracle = described(0)
    task = task_of(Next(), 30)
    found = labels_of(log, task, classes={"t": ("purchase",)})
    for row, key in enumerate(ids_of(log, everyone(log, "user"))):
        value = oracle.first_value(task, key, CUTOFF)
        assert np.array_equal(found[row], 0 if value == "purchase" else np.nan, equal_nan=True)


RULES = st.fixed_dictionaries(
    {
        "within_days": st.integers(1, 60),
        "event_type": st.sampled_from([None, "purchase"]),
        "at_least": st.integers(1, 8),
    }
)


@settings(max_examples=30)
@given(
    st.integers(0, 10_000),
    st.lists(RULES, min_size=1, max_size=2),
    st.sampled_from(["user", "item", "pair"]),
)
def test_who_is_not_eligible_has_no_label(
    seed: int, rules: list[dict[str, Any]], entity: EntityKind
) -> None:
    log, oracle = described(seed)
    target = Occurs(event_type="view")
    everybody = labels_of(log, task_of(target, 14, entity))
    task = task_of(target, 14, entity, eligible=rules)
    found = labels_of(log, task)
    keys = ids_of(log, everyone(log, entity))
    eligible = np.array([oracle.is_eligible(task, key, CUTOFF) for key in keys])
    assert np.array_equal(found, np.where(eligible, everybody, np.nan), equal_nan=True)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.lists(RULES, min_size=1, max_size=2))
def test_the_future_decides_about_nobodys_eligibility(
    seed: int, rules: list[dict[str, Any]]
) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    later = random_events(rng)
    later = later[later["time"] > CUTOFF]
    task = task_of(Occurs(event_type="view"), 14, eligible=rules)
    found = []
    for future in (events[events["time"] > CUTOFF], later, later.iloc[:0]):
        past = events[events["time"] <= CUTOFF]
        tables = random_tables(np.random.default_rng(0))  # so that all logs have the same users
        log = EventLog.from_frames(pd.concat([past, future]), *tables, time_zone=TIME_ZONE)
        found.append(np.isnan(labels_of(log, task)))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_label_looks_at_both(seed: int) -> None:
    log, oracle = described(seed)
    task = task_of(Occurs(event_type="view"), 30, "pair")
    keys = ids_of(log, everyone(log, "pair"))
    expected = [oracle.label(task, key, CUTOFF) for key in keys]
    assert labels_of(log, task).tolist() == expected


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.sampled_from([("month_of_year", 365), ("iso_week", 365), ("weekday", 7), ("hour", 3)]),
    st.sampled_from(["units", "events"]),
)
def test_a_peak_period_label_has_the_sales_of_each_period(
    seed: int, cycle: tuple[PeriodName, int], of: str
) -> None:
    log, oracle = described(seed)
    period, days = cycle
    target = PeakPeriod.model_validate({"event_type": "purchase", "period": period, "of": of})
    task = task_of(target, days, "item")
    found = period_labels_of(log, task)
    for row, key in enumerate(log.items.ids):
        sold = oracle.per_period(oracle.ahead(task, {"item": str(key)}, CUTOFF), of, period)
        if sum(sold.values()) > 0:
            np.testing.assert_allclose(found.amounts[row], list(sold.values()), rtol=1e-5)
        else:
            assert np.isnan(found.amounts[row]).all(), "who sells nothing has no best period"
    hours = exposure_hours(
        CUTOFF_US, CUTOFF_US + days * MICROSECONDS_PER_DAY, period, log.time_zone
    )
    assert np.array_equal(found.exposure, np.broadcast_to(hours > 0, found.exposure.shape))


def test_a_peak_period_that_is_seen_in_part_says_how_much_of_it() -> None:
    log, _ = described(0)
    task = task_of(PeakPeriod(event_type="purchase", period="weekday"), 7, "item")
    # From Thursday, two hours into the shop's day, for 60 hours: until Saturday, 14:00.
    end_us = CUTOFF_US + 60 * 3_600_000_000
    found = period_labels_of(log, task, end_us)
    expected = [0, 0, 0, 22 / 24, 1, 14 / 24, 0]
    assert found.exposure[0] == pytest.approx(expected)
    whole = period_labels_of(log, task)
    assert np.nansum(found.amounts) < np.nansum(whole.amounts)


@pytest.mark.parametrize(("seen_days", "is_missing"), [(6, True), (8, False)])
def test_too_little_of_a_cycle_is_no_label(seen_days: int, is_missing: bool) -> None:
    log, _ = described(0)
    task = task_of(PeakPeriod(event_type="view", period="weekday"), 28, "item")
    found = period_labels_of(log, task, CUTOFF_US + seen_days * MICROSECONDS_PER_DAY)
    assert np.isnan(found.amounts).all() == is_missing


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("start_days", [0, 4])
def test_an_immature_label_is_missing_and_not_zero(target: Target, start_days: int) -> None:
    log, _ = described(1)
    task = task_of(target, 30, start_days=start_days)
    end_us = CUTOFF_US + (30 + start_days) * MICROSECONDS_PER_DAY
    assert not np.isnan(labels_of(log, task, end_us)).any()
    assert np.isnan(labels_of(log, task, end_us - 1)).all()


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 30))
def test_a_longer_horizon_never_has_less(seed: int, days: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    events["quantity"] = events["quantity"].abs()
    log = EventLog.from_frames(events, time_zone=TIME_ZONE)
    for target in TARGETS:
        short = labels_of(log, task_of(target, days))
        long = labels_of(log, task_of(target, days + more))
        if target.kind == "time_to":
            # What comes within the short horizon comes at the same time in the long one.
            assert np.array_equal(short, np.where(long <= days, long, np.inf))
        else:
            assert (long >= short - 1e-4).all()


@pytest.mark.parametrize("seed", range(3))
def test_kinds_agree_on_whether_something_happens(seed: int) -> None:
    log, _ = described(seed)
    occurs, events, _, days, _, days_to = (
        labels_of(log, task_of(target, 14)) for target in TARGETS
    )
    assert np.array_equal(occurs > 0, np.isfinite(days_to))
    assert (days_to > 0).all()
    assert np.array_equal(occurs > 0, events > 0)
    assert np.array_equal(occurs > 0, days > 0)
    assert (days <= events).all()
    assert (days <= 15).all()


def test_labels_do_not_depend_on_the_order_of_the_rows() -> None:
    events = random_events(np.random.default_rng(0)).drop_duplicates("time")
    found = []
    for frame in (events, events.sample(frac=1, random_state=0)):
        log = EventLog.from_frames(frame, time_zone=TIME_ZONE)
        found.append([labels_of(log, task_of(target, 14)) for target in TARGETS])
    assert np.array_equal(found[0], found[1])


def test_returns_of_more_than_was_bought_count_as_nothing() -> None:
    events = pd.DataFrame(
        {
            "user": ["a", "a", "b"],
            "item": "x",
            "time": [CUTOFF + pd.Timedelta(days=1)] * 3,
            "event_type": "purchase",
            "quantity": [2.0, -5.0, 1.0],
            "price": [10.0, 10.0, 3.5],
        }
    )
    log = EventLog.from_frames(events)
    assert labels_of(log, task_of(Sum(event_type="purchase"), 7)).tolist() == [0, 3.5]
    units = Count(event_type="purchase", of="units")
    assert labels_of(log, task_of(units, 7)).tolist() == [0, 1]
