from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import Config
from model.events import MICROSECONDS_PER_DAY, EventLog, exposure_hours, to_microseconds
from model.snapshots import PeriodLabels, SnapshotPlan, SnapshotReader
from model.snapshots.history import Rows
from model.snapshots.labels import label
from model.tasks import Count, EntityKind, Occurs, PeakPeriod, PeriodName, Sum, Target, Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables
from tests.model.snapshots.oracle import Oracle

CUTOFF = pd.Timestamp("2023-04-20 00:00", tz="UTC")
CUTOFF_US = to_microseconds(CUTOFF)
FAR_US = CUTOFF_US + 4000 * MICROSECONDS_PER_DAY
TARGETS: tuple[Target, ...] = (
    Occurs(event_type="purchase"),
    Count(event_type="purchase"),
    Count(event_type="purchase", of="units"),
    Count(event_type="purchase", of="days"),
    Sum(event_type="purchase"),
)


def made(seed: int) -> tuple[SnapshotReader, Oracle]:
    rng = np.random.default_rng(seed)
    events, (users, items) = random_events(rng), random_tables(rng)
    log = EventLog.from_frames(events, users, items, time_zone=TIME_ZONE)
    plan = SnapshotPlan.from_log(log, [], Config(), CUTOFF_US)
    return SnapshotReader(log, plan), Oracle(events, {"user": users, "item": items}, TIME_ZONE)


def task_of(target: Target, days: int, entity: EntityKind = "user") -> Task:
    return Task(name="t", entity=entity, target=target, horizon_days=days)


def labels_of(reader: SnapshotReader, task: Task, end_us: int = FAR_US) -> np.ndarray:
    history = reader.history(task.entity)
    rows = Rows(np.arange(len(history.index), dtype=np.int64), CUTOFF_US)
    found = label(history, task, rows, end_us)
    assert not isinstance(found, PeriodLabels)
    return found


def period_labels_of(reader: SnapshotReader, task: Task, end_us: int = FAR_US) -> PeriodLabels:
    history = reader.history(task.entity)
    rows = Rows(np.arange(len(history.index), dtype=np.int64), CUTOFF_US)
    found = label(history, task, rows, end_us)
    assert isinstance(found, PeriodLabels)
    return found


@settings(max_examples=20)
@given(
    st.integers(0, 10_000),
    st.sampled_from(TARGETS),
    st.sampled_from(["user", "item"]),
    st.integers(1, 45),
)
def test_a_label_is_what_happens_within_the_horizon(
    seed: int, target: Target, entity: EntityKind, days: int
) -> None:
    reader, oracle = made(seed)
    task = task_of(target, days, entity)
    ids = reader.log.users.ids if entity == "user" else reader.log.items.ids
    expected = [oracle.label(task, {entity: str(key)}, CUTOFF) for key in ids]
    found = labels_of(reader, task)
    if isinstance(target, Count) and target.of == "units":
        assert np.array_equal(found, np.rint(found))
        np.testing.assert_allclose(found, expected, atol=0.5 + 1e-4)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_label_looks_at_both(seed: int) -> None:
    reader, oracle = made(seed)
    log = reader.log
    found = labels_of(reader, task_of(Occurs(event_type="view"), 30, "pair"))
    users, items = np.meshgrid(np.arange(len(log.users)), np.arange(len(log.items)))
    codes = reader.pair_index.codes(users.ravel(), items.ravel())
    task = task_of(Occurs(event_type="view"), 30, "pair")
    for user, item, code in zip(users.ravel(), items.ravel(), codes, strict=True):
        key = {"user": str(log.users.ids[user]), "item": str(log.items.ids[item])}
        expected = oracle.label(task, key, CUTOFF)
        assert (found[code] if code >= 0 else 0.0) == expected


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.sampled_from([("month_of_year", 365), ("iso_week", 365), ("weekday", 7), ("hour", 3)]),
    st.sampled_from(["units", "events"]),
)
def test_a_peak_period_label_has_the_sales_of_each_period(
    seed: int, cycle: tuple[PeriodName, int], of: str
) -> None:
    reader, oracle = made(seed)
    period, days = cycle
    target = PeakPeriod.model_validate({"event_type": "purchase", "period": period, "of": of})
    task = task_of(target, days, "item")
    found = period_labels_of(reader, task)
    for row, key in enumerate(reader.log.items.ids):
        sold = oracle.per_period(oracle.ahead(task, {"item": str(key)}, CUTOFF), of, period)
        if sum(sold.values()) > 0:
            np.testing.assert_allclose(found.amounts[row], list(sold.values()), rtol=1e-5)
        else:
            assert np.isnan(found.amounts[row]).all(), "who sells nothing has no best period"
    hours = exposure_hours(
        CUTOFF_US, CUTOFF_US + days * MICROSECONDS_PER_DAY, period, reader.log.time_zone
    )
    assert np.array_equal(found.exposure, np.broadcast_to(hours > 0, found.exposure.shape))


def test_a_peak_period_that_is_seen_in_part_says_how_much_of_it() -> None:
    reader, _ = made(0)
    task = task_of(PeakPeriod(event_type="purchase", period="weekday"), 7, "item")
    # From Thursday, two hours into the shop's day, for 60 hours: until Saturday, 14:00.
    end_us = CUTOFF_US + 60 * 3_600_000_000
    found = period_labels_of(reader, task, end_us)
    expected = [0, 0, 0, 22 / 24, 1, 14 / 24, 0]
    assert found.exposure[0] == pytest.approx(expected)
    whole = period_labels_of(reader, task)
    assert np.nansum(found.amounts) < np.nansum(whole.amounts)


@pytest.mark.parametrize(("seen_days", "is_missing"), [(6, True), (8, False)])
def test_too_little_of_a_cycle_is_no_label(seen_days: int, is_missing: bool) -> None:
    reader, _ = made(0)
    task = task_of(PeakPeriod(event_type="view", period="weekday"), 28, "item")
    found = period_labels_of(reader, task, CUTOFF_US + seen_days * MICROSECONDS_PER_DAY)
    assert np.isnan(found.amounts).all() == is_missing


@pytest.mark.parametrize("target", TARGETS)
def test_an_immature_label_is_missing_and_not_zero(target: Target) -> None:
    reader, _ = made(1)
    task = task_of(target, 30)
    end_us = CUTOFF_US + 30 * MICROSECONDS_PER_DAY
    assert not np.isnan(labels_of(reader, task, end_us)).any()
    assert np.isnan(labels_of(reader, task, end_us - 1)).all()


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 30))
def test_a_longer_horizon_never_has_less(seed: int, days: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    events["quantity"] = events["quantity"].abs()
    log = EventLog.from_frames(events, time_zone=TIME_ZONE)
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, [], Config(), CUTOFF_US))
    for target in TARGETS:
        short = labels_of(reader, task_of(target, days))
        long = labels_of(reader, task_of(target, days + more))
        assert (long >= short - 1e-4).all()


@pytest.mark.parametrize("seed", range(3))
def test_kinds_agree_on_whether_something_happens(seed: int) -> None:
    reader, _ = made(seed)
    occurs, events, _, days, _ = (labels_of(reader, task_of(target, 14)) for target in TARGETS)
    assert np.array_equal(occurs > 0, events > 0)
    assert np.array_equal(occurs > 0, days > 0)
    assert (days <= events).all()
    assert (days <= 15).all()


def test_labels_do_not_depend_on_the_order_of_the_rows() -> None:
    events = random_events(np.random.default_rng(0)).drop_duplicates("time")
    found = []
    for frame in (events, events.sample(frac=1, random_state=0)):
        log = EventLog.from_frames(frame, time_zone=TIME_ZONE)
        reader = SnapshotReader(log, SnapshotPlan.from_log(log, [], Config(), CUTOFF_US))
        found.append([labels_of(reader, task_of(target, 14)) for target in TARGETS])
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
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, [], Config(), CUTOFF_US))
    assert labels_of(reader, task_of(Sum(event_type="purchase"), 7)).tolist() == [0, 3.5]
    units = Count(event_type="purchase", of="units")
    assert labels_of(reader, task_of(units, 7)).tolist() == [0, 1]
