"""The compiled scan and that of NumPy fill the same numbers, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.compiled import COMPILED
from model.config import Config
from model.events import MICROSECONDS_PER_DAY, EventLog
from model.snapshots import Inputs, SnapshotPlan, SnapshotReader
from model.snapshots import scan_numpy as numpy_scan
from model.tasks import EntityKind, PeakPeriod, Task
from tests.model.made_logs import START_US, random_events, random_tables, same
from tests.model.snapshots.test_features import with_affinities

TASKS = (
    Task(name="a", entity="item", target=PeakPeriod(event_type="purchase", period="iso_week")),
    Task(name="b", entity="user", target=PeakPeriod(event_type="view", period="hour", of="events")),
    Task(name="c", entity="user", target=PeakPeriod(event_type="none", period="weekday")),
)


def log_of(seed: int, time_zone: str, days: int = 150) -> EventLog:
    rng = np.random.default_rng(seed)
    events = random_events(rng, events=300, days=days)
    return EventLog.from_frames(events, *random_tables(rng), time_zone=time_zone)


def plan_of(log: EventLog, until_us: int) -> SnapshotPlan:
    plan = SnapshotPlan.from_log(log, TASKS, Config(), until_us)
    # A type that the model does not tell apart.
    users = plan.users.model_copy(update={"event_types": plan.users.event_types[:2]})
    return with_affinities(plan.model_copy(update={"users": users}))


def inputs_of(reader: SnapshotReader, entity: EntityKind, cutoffs_us: np.ndarray) -> Inputs:
    rng = np.random.default_rng(0)
    users = rng.integers(0, len(reader.log.users), len(cutoffs_us))
    items = rng.integers(0, len(reader.log.items), len(cutoffs_us))
    match entity:
        case "user":
            return reader.user_inputs(users, cutoffs_us)
        case "item":
            return reader.item_inputs(items, cutoffs_us)
        case "pair":
            return reader.pair_inputs(users, items, cutoffs_us)


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["user", "item", "pair"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"]),
    st.lists(st.integers(-5 * MICROSECONDS_PER_DAY, 900 * MICROSECONDS_PER_DAY), min_size=1),
)
def test_compiled_or_not_the_features_are_the_same(
    seed: int, entity: EntityKind, time_zone: str, after_start_us: list[int]
) -> None:
    assert COMPILED, "numba is not installed"
    log = log_of(seed, time_zone, days=150 + seed % 700)
    plan = plan_of(log, START_US + (100 + seed % 750) * MICROSECONDS_PER_DAY)
    cutoffs_us = START_US + np.array(after_start_us, dtype=np.int64)
    compiled = inputs_of(SnapshotReader(log, plan), entity, cutoffs_us)
    numpy = inputs_of(SnapshotReader(log, plan, use_compiler=False), entity, cutoffs_us)
    assert same(compiled.numbers, numpy.numbers)


@settings(max_examples=40)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["user", "item"]),
    st.lists(st.integers(-5, 900), min_size=1, max_size=45),
)
def test_rows_of_an_entity_are_the_same_together_and_alone(
    seed: int, entity: EntityKind, after_start_days: list[int]
) -> None:
    log = log_of(seed, "Europe/Berlin", days=150 + seed % 700)
    plan = plan_of(log, log.last_us)
    moments_us = START_US + np.sort(np.array(after_start_days)) * MICROSECONDS_PER_DAY
    entities = len(log.users if entity == "user" else log.items)
    codes = np.repeat(np.arange(entities), len(moments_us))
    cutoffs_us = np.tile(moments_us, entities)
    one_by_one = np.argsort(cutoffs_us, kind="stable")
    for reader in (SnapshotReader(log, plan), SnapshotReader(log, plan, use_compiler=False)):
        read = reader.user_inputs if entity == "user" else reader.item_inputs
        together = read(codes, cutoffs_us).numbers
        alone = read(codes[one_by_one], cutoffs_us[one_by_one]).numbers
        assert same(together[one_by_one], alone)


@pytest.mark.parametrize("use_compiler", [True, False])
def test_each_row_has_a_cutoff_of_its_own(use_compiler: bool) -> None:
    log = log_of(3, "Europe/Berlin")
    reader = SnapshotReader(log, plan_of(log, log.last_us), use_compiler=use_compiler)
    cutoffs_us = START_US + np.arange(0, 150, 7) * MICROSECONDS_PER_DAY + 12_345
    for entity in ("user", "item", "pair"):
        together = inputs_of(reader, entity, cutoffs_us)  # type: ignore[arg-type]
        for row, cutoff_us in enumerate(cutoffs_us.tolist()):
            one = slice(row, row + 1)
            match entity:
                case "user":
                    alone = reader.user_inputs(together.users[one], cutoff_us)
                case "item":
                    alone = reader.item_inputs(together.items[one], cutoff_us)
                case _:
                    users, items = together.users[one], together.items[one]
                    alone = reader.pair_inputs(users, items, cutoff_us)
            assert same(alone.numbers, together.numbers[one])


def test_many_rows_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(4, "UTC")
    plan = plan_of(log, log.last_us)
    cutoffs_us = START_US + np.arange(0, 150) * MICROSECONDS_PER_DAY
    whole = inputs_of(SnapshotReader(log, plan), "user", cutoffs_us)
    monkeypatch.setattr("model.snapshots.aggregates._BLOCK_BYTES", 20_000)
    monkeypatch.setattr(numpy_scan, "_AT_ONCE", 50)
    for use_compiler in (True, False):
        reader = SnapshotReader(log, plan, use_compiler=use_compiler)
        assert same(inputs_of(reader, "user", cutoffs_us).numbers, whole.numbers)


def test_nobody_and_nothing_can_be_read() -> None:
    log = log_of(5, "UTC")
    plan = plan_of(log, log.last_us)
    empty = log.until(START_US - MICROSECONDS_PER_DAY)
    nobody = np.zeros(0, dtype=np.int64)
    for use_compiler in (True, False):
        reader = SnapshotReader(log, plan, use_compiler=use_compiler)
        assert len(reader.user_inputs(nobody, log.last_us)) == 0
        assert len(reader.pair_inputs(nobody, nobody, log.last_us)) == 0
        assert len(empty) == 0


def test_stamps_that_run_out_are_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(6, "UTC")
    plan = plan_of(log, log.last_us)
    reader = SnapshotReader(log, plan)
    everyone = np.arange(len(log.users))
    first = reader.user_inputs(everyone, log.last_us)
    reader._user_features._scratch.used = np.iinfo(np.int32).max - 2
    assert same(reader.user_inputs(everyone, log.last_us).numbers, first.numbers)


def test_a_log_without_times_has_counts_and_attributes_alone() -> None:
    log = log_of(7, "UTC")
    plan = plan_of(log, log.last_us)
    users = plan.users.model_copy(update={"has_time": False, "windows_days": (None,)})
    reader = SnapshotReader(log, plan.model_copy(update={"users": users}))
    names = {feature.name for feature in reader.features("user")}
    assert names == {
        *(f"{name}_{of}_all" for name in users.event_types for of in ("events", "value", "units")),
        "attribute_age",
    }
    counts = pd.DataFrame(
        reader.user_inputs(np.arange(len(log.users)), log.last_us).numbers,
        columns=[feature.name for feature in reader.features("user")],
    )
    view = log.user[log.is_type("view") & (log.user >= 0)]
    expected = np.log1p(np.bincount(view, minlength=len(log.users)))
    assert counts["view_events_all"].to_numpy() == pytest.approx(expected)
