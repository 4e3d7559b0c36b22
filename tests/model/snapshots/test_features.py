from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.config import Config
from model.events import EventLog, to_microseconds
from model.snapshots import SnapshotPlan, SnapshotReader
from model.snapshots.feature_groups import numeric_groups
from model.tasks import Count, EntityKind, Occurs, PeakPeriod, Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables, same
from tests.model.snapshots.oracle import NEVER_DAYS, Oracle

CUTOFF = pd.Timestamp("2023-05-17 00:00", tz="UTC")
TASKS = (
    Task(name="a", entity="item", target=PeakPeriod(event_type="purchase", period="weekday")),
    Task(name="b", entity="item", target=PeakPeriod(event_type="view", period="hour", of="events")),
    Task(name="c", entity="user", target=PeakPeriod(event_type="cart", period="month_of_year")),
    Task(name="d", entity="pair", target=Occurs(event_type="view"), horizon_days=7),
    Task(name="e", entity="user", target=Count(event_type="view"), horizon_days=7),
)
COLUMNS_OF_TIME_ALONE = {"log_coverage", "day_of_year_sine", "day_of_year_cosine"}


def made(seed: int) -> tuple[SnapshotReader, Oracle]:
    rng = np.random.default_rng(seed)
    events, (users, items) = random_events(rng, events=400), random_tables(rng)
    log = EventLog.from_frames(events, users, items, time_zone=TIME_ZONE)
    plan = with_affinities(SnapshotPlan.from_log(log, TASKS, Config(), to_microseconds(CUTOFF)))
    return SnapshotReader(log, plan), Oracle(events, {"user": users, "item": items}, TIME_ZONE)


def with_affinities(plan: SnapshotPlan) -> SnapshotPlan:
    """The tables are too small for a plan to know their values: those of one attribute each."""
    users = plan.users.model_copy(update={"affinities": {"colour": ("blue", "red")}})
    items = plan.items.model_copy(update={"affinities": {"country": ("de", "fr", "xx")}})
    return plan.model_copy(update={"users": users, "items": items})


def read(reader: SnapshotReader, entity: EntityKind, cutoff: pd.Timestamp) -> pd.DataFrame:
    table = reader.log.users if entity == "user" else reader.log.items
    codes = np.arange(len(table), dtype=np.int64)
    inputs = getattr(reader, f"{entity}_inputs")(codes, to_microseconds(cutoff))
    names = [feature.name for feature in reader.features(entity)]
    return pd.DataFrame(inputs.numbers, index=table.ids, columns=names)


@pytest.mark.parametrize("entity", ["user", "item"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("days_before", [0, 1.5])
def test_every_feature_is_what_it_says(entity: EntityKind, seed: int, days_before: float) -> None:
    reader, oracle = made(seed)
    cutoff = CUTOFF - pd.Timedelta(days=days_before)
    found = read(reader, entity, cutoff)
    plan = reader.plan.users if entity == "user" else reader.plan.items
    for key in found.index:
        expected = dict(oracle.features(plan, str(key), cutoff))
        assert set(expected) == set(found.columns)
        wrong = {
            name: (found.loc[key, name], right)
            for name, right in expected.items()
            if not np.isclose(found.loc[key, name], right, rtol=1e-5, atol=1e-6, equal_nan=True)
        }
        assert not wrong, key


@pytest.mark.parametrize("seed", range(2))
def test_every_pair_feature_is_what_it_says(seed: int) -> None:
    reader, oracle = made(seed)
    log = reader.log
    grid = np.meshgrid(np.arange(len(log.users)), np.arange(len(log.items)))
    users, items = grid[0].ravel(), grid[1].ravel()
    inputs = reader.pair_inputs(users, items, to_microseconds(CUTOFF))
    names = [feature.name for feature in reader.features("pair")]
    assert inputs.numbers.shape == (len(users), len(names))
    found = pd.DataFrame(inputs.numbers, columns=names)
    of_users, of_items = read(reader, "user", CUTOFF), read(reader, "item", CUTOFF)
    assert same(found.filter(regex="^user_").to_numpy(), of_users.to_numpy()[users])
    assert same(found.filter(regex="^item_").to_numpy(), of_items.to_numpy()[items])
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        past = oracle.past("user", log.users.ids[user], CUTOFF)
        past = past[past["item"] == log.items.ids[item]]
        for event_type in reader.plan.users.event_types:
            own = past[past["event_type"] == event_type]
            for days, window in ((7, "7d"), (30, "30d"), (None, "all")):
                kept = own if days is None else own[own["time"] > CUTOFF - pd.Timedelta(days=days)]
                name = f"pair_{event_type}_events_{window}"
                assert found.loc[row, name] == pytest.approx(np.log1p(len(kept)))
            since = (CUTOFF - own["time"].max()) / pd.Timedelta(days=1) if len(own) else NEVER_DAYS
            assert found.loc[row, f"pair_{event_type}_recency"] == pytest.approx(np.log1p(since))


def test_features_are_declared_once_with_unit_and_meaning() -> None:
    reader, _ = made(0)
    for entity in ("user", "item", "pair"):
        features = reader.features(entity)  # type: ignore[arg-type]
        names = [feature.name for feature in features]
        assert len(set(names)) == len(names)
        assert all(feature.unit and feature.meaning for feature in features)


def test_a_year_of_history_adds_the_calendar() -> None:
    rng = np.random.default_rng(0)
    log = EventLog.from_frames(random_events(rng, days=800))
    until = log.first_us + 750 * 86_400_000_000
    plan = SnapshotPlan.from_log(log, TASKS, Config(), until)
    reader = SnapshotReader(log, plan)
    cutoff = pd.Timestamp(log.first_us // 1_000_000, unit="s", tz="UTC") + pd.Timedelta(days=400)
    found = read(reader, "user", cutoff)
    angle = 2 * np.pi * cutoff.day_of_year / 365.25
    assert found["day_of_year_sine"].to_numpy() == pytest.approx(np.sin(angle))
    assert found["day_of_year_cosine"].to_numpy() == pytest.approx(np.cos(angle))


def test_two_years_of_history_add_what_came_a_year_ago() -> None:
    rng = np.random.default_rng(0)
    events = random_events(rng, events=3000, days=800)
    log = EventLog.from_frames(events)
    until = log.first_us + 750 * 86_400_000_000
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, TASKS, Config(), until))
    cutoff = pd.Timestamp(log.first_us // 1_000_000, unit="s", tz="UTC") + pd.Timedelta(days=700)
    found = read(reader, "item", cutoff)
    groups = dict(zip(found.columns, numeric_groups(reader.plan, "item"), strict=True))
    a_year_ago = cutoff - pd.Timedelta(weeks=52)
    for event_type in reader.plan.items.event_types:
        own = events[events["event_type"] == event_type]

        def within(days: int, own: pd.DataFrame = own) -> pd.DataFrame:
            until = a_year_ago + pd.Timedelta(days=days)
            return own[(own["time"] > a_year_ago) & (own["time"] <= until)]

        def events_of(rows: pd.DataFrame) -> np.ndarray:
            return rows["item"].value_counts().reindex(found.index, fill_value=0).to_numpy()

        for days in (28, 91):
            name = f"{event_type}_events_year_ago_{days}d"
            assert found[name].to_numpy() == pytest.approx(np.log1p(events_of(within(days))))
            assert groups[name] == "seasonality"
        assert found[f"{event_type}_year_ago_ratio"].to_numpy() == pytest.approx(
            np.log1p(events_of(within(28))) - np.log1p(events_of(within(364)) / 13), abs=1e-5
        )
        near = within(28)
        units = near["quantity"].fillna(1).groupby(near["item"]).sum()
        expected = units.reindex(found.index, fill_value=0).to_numpy()
        of_units = found[f"{event_type}_units_year_ago_28d"].to_numpy()
        assert of_units == pytest.approx(np.sign(expected) * np.log1p(np.abs(expected)), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_some_entities_read_as_all_do(seed: int) -> None:
    reader, _ = made(seed)
    cutoff_us = to_microseconds(CUTOFF)
    everyone = reader.user_inputs(np.arange(len(reader.log.users)), cutoff_us)
    for user in range(len(reader.log.users)):
        alone = reader.user_inputs(np.array([user]), cutoff_us)
        assert same(alone.numbers, everyone.numbers[[user]])


def test_categories_are_known_unknown_or_missing() -> None:
    rng = np.random.default_rng(0)
    events = random_events(rng, users=24)
    users = pd.DataFrame(
        {
            "user": [f"u{n}" for n in range(24)],
            "country": ["de"] * 11 + ["fr"] * 11 + ["xx", None],
            "member": [True, False] * 12,
        }
    )
    log = EventLog.from_frames(events, users)
    plan = SnapshotPlan.from_log(log, TASKS, Config(), log.last_us)
    assert plan.users.categories == {"country": ("de", "fr"), "member": ("False", "True")}
    codes = SnapshotReader(log, plan).user_inputs(log.users.codes(users["user"]), log.last_us)
    assert codes.categories[:, 0].tolist() == [1] * 11 + [2] * 11 + [0, 0]
    assert codes.categories[:, 1].tolist() == [2, 1] * 12


def test_a_log_without_the_tables_of_the_plan_reads_them_as_unknown() -> None:
    reader, _ = made(0)
    rng = np.random.default_rng(0)
    bare = EventLog.from_frames(random_events(rng, events=400), time_zone=TIME_ZONE)
    found = read(SnapshotReader(bare, reader.plan), "user", CUTOFF)
    assert found["attribute_age"].isna().all()


def test_an_active_entity_had_an_event_in_the_days_before() -> None:
    reader, oracle = made(1)
    for days in (3, 30):
        active = reader.active("user", to_microseconds(CUTOFF), days)
        past = oracle.events[oracle.events["time"] <= CUTOFF]
        recent = past[past["time"] > CUTOFF - pd.Timedelta(days=days)]
        assert list(reader.log.users.ids[active]) == sorted(recent["user"].dropna().unique())
