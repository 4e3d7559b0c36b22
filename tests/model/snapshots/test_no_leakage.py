"""No event after the cutoff changes an input, bit for bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import Config
from model.events import EventLog, to_microseconds
from model.snapshots import Inputs, SnapshotPlan, SnapshotReader
from model.snapshots.history import Rows
from model.snapshots.pairs import popularity, recent_items
from model.tasks import EntityKind, Occurs, PeakPeriod, Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables, same

CUTOFF = pd.Timestamp("2023-05-10 00:00", tz="UTC")
CUTOFF_US = to_microseconds(CUTOFF)
KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")
TASKS = (
    Task(name="a", entity="item", target=PeakPeriod(event_type="purchase", period="weekday")),
    Task(name="b", entity="user", target=PeakPeriod(event_type="cart", period="month_of_year")),
    Task(name="c", entity="pair", target=Occurs(event_type="view"), horizon_days=7),
)


def reader_of(events: pd.DataFrame, plan: SnapshotPlan | None = None) -> SnapshotReader:
    # The tables know every entity, so that its code does not depend on its events.
    tables = random_tables(np.random.default_rng(0))
    log = EventLog.from_frames(events, *tables, time_zone=TIME_ZONE)
    return SnapshotReader(log, plan or plan_of(log))


def plan_of(log: EventLog) -> SnapshotPlan:
    return SnapshotPlan.from_log(log, TASKS, Config(sequence_length=5), CUTOFF_US)


def inputs_of(reader: SnapshotReader, entity: EntityKind) -> Inputs:
    users = np.arange(len(reader.log.users), dtype=np.int64)
    items = np.arange(len(reader.log.items), dtype=np.int64)
    match entity:
        case "user":
            return reader.user_inputs(users, CUTOFF_US)
        case "item":
            return reader.item_inputs(items, CUTOFF_US)
        case "pair":
            grid = np.meshgrid(users, items)
            return reader.pair_inputs(grid[0].ravel(), grid[1].ravel(), CUTOFF_US)


def assert_same_inputs(before: SnapshotReader, after: SnapshotReader) -> None:
    for entity in KINDS:
        left, right = inputs_of(before, entity), inputs_of(after, entity)
        for field in fields(Inputs):
            if field.name != "ends":  # a slot in the index, which grows with the future
                name = f"{entity} {field.name}"
                assert same(getattr(left, field.name), getattr(right, field.name)), name
        arrays = after.arrays(right)
        for name, array in before.arrays(left).items():
            assert same(array, arrays[name]), f"{entity} {name}"


def with_another_future(
    events: pd.DataFrame, rng: np.random.Generator, share: float
) -> pd.DataFrame:
    """Some later events removed, some changed, some added; a new type of event too."""
    past, future = events[events["time"] <= CUTOFF], events[events["time"] > CUTOFF]
    kept = future[rng.random(len(future)) < share].copy()
    kept["quantity"] = kept["quantity"] * 3 + 0.1
    kept["event_type"] = "cart"
    added = random_events(rng, events=120)
    added = added[added["time"] > CUTOFF]
    added.loc[added.index[:3], "event_type"] = "wish"
    soonest = added.iloc[:1].assign(time=CUTOFF + pd.Timedelta(microseconds=1))
    return pd.concat([past, kept, added, soonest])


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_future_changes_no_input(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    before = reader_of(events)
    after = reader_of(with_another_future(events, rng, share), before.plan)
    assert_same_inputs(before, after)


@pytest.mark.parametrize("seed", range(5))
def test_the_future_changes_neither_the_plan_nor_who_is_active(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    before = reader_of(events)
    after = reader_of(with_another_future(events, rng, 0.5))
    assert after.plan == before.plan
    for entity in ("user", "item"):
        assert same(
            before.active(entity, CUTOFF_US, 30),  # type: ignore[arg-type]
            after.active(entity, CUTOFF_US, 30),  # type: ignore[arg-type]
        )
    assert same(popularity(before.items, CUTOFF_US), popularity(after.items, CUTOFF_US))
    everyone = Rows(np.arange(len(before.log.users), dtype=np.int64), CUTOFF_US)
    for left, right in zip(
        recent_items(before.users, everyone, 3), recent_items(after.users, everyone, 3), strict=True
    ):
        assert same(left, right)


def test_amounts_that_come_later_add_no_feature() -> None:
    events = random_events(np.random.default_rng(0))
    bare = events["time"] <= CUTOFF
    events.loc[bare, ["quantity", "price"]] = np.nan
    names = [feature.name for feature in reader_of(events).features("user")]
    assert "purchase_events_all" in names
    assert not {"purchase_value_all", "purchase_units_all", "price_mean_all"} & set(names)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_an_event_at_the_cutoff_is_seen_and_one_just_after_is_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    before = reader_of(events)
    last = events[(events["time"] <= CUTOFF) & events["user"].notna()].tail(1)
    at = pd.concat([events, last.assign(time=CUTOFF)])
    after = pd.concat([events, last.assign(time=CUTOFF + pd.Timedelta(microseconds=1))])
    assert_same_inputs(before, reader_of(after, before.plan))
    seen = inputs_of(reader_of(at, before.plan), "user")
    assert not same(seen.numbers, inputs_of(before, "user").numbers)


@pytest.mark.parametrize("seed", range(3))
def test_shuffling_the_rows_changes_no_input(seed: int) -> None:
    events = random_events(np.random.default_rng(seed))
    assert events["time"].duplicated().any()
    before = reader_of(events)
    assert_same_inputs(before, reader_of(events.sample(frac=1, random_state=seed)))


@pytest.mark.parametrize("seed", range(3))
def test_online_now_is_offline_at_that_cutoff(seed: int) -> None:
    """A log that ends at the cutoff reads as a longer one did there."""
    events = random_events(np.random.default_rng(seed))
    before = reader_of(events)
    assert_same_inputs(before, reader_of(events[events["time"] <= CUTOFF], before.plan))


def test_fractions_that_sum_to_nothing_do_so_whatever_comes_later() -> None:
    """Running totals go through all users: rounding in one must not reach the next."""
    hours = pd.to_timedelta(np.arange(40), unit="h")
    events = pd.DataFrame(
        {
            "user": ["u0"] * 20 + ["u1"] * 20,
            "item": "i0",
            "time": CUTOFF - hours[::-1],
            "event_type": "purchase",
            "quantity": [0.1] * 20 + [0.3, -0.3, 0.7, -0.7, *[0.1, -0.1] * 8],
            "price": 1.0,
        }
    )
    later = events.iloc[:3].assign(time=CUTOFF + pd.Timedelta(hours=1), quantity=0.7)
    before = reader_of(events)
    after = reader_of(pd.concat([events, later]), before.plan)
    assert_same_inputs(before, after)
    names = [feature.name for feature in before.features("user")]
    assert inputs_of(before, "user").numbers[1, names.index("purchase_units_all")] == 0
