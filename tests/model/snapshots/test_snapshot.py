from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY
from model.snapshots import (
    FoldPart,
    Inputs,
    PeriodLabels,
    SnapshotPlan,
    SnapshotReader,
    take_snapshot,
)
from model.snapshots.snapshot import labels_of
from model.tasks import Count, Occurs, PeakPeriod, Task
from tests.model.made_logs import START_US, random_log, same

CUTOFFS_US = tuple(START_US + day * MICROSECONDS_PER_DAY for day in (40, 70, 100))
END_US = START_US + 120 * MICROSECONDS_PER_DAY
PART = FoldPart(CUTOFFS_US, END_US)
SHORT = Task(name="short", entity="user", target=Occurs(event_type="view"), horizon_days=10)
LONG = Task(name="long", entity="user", target=Count(event_type="view"), horizon_days=40)
PERIODS = Task(name="best", entity="item", target=PeakPeriod(event_type="view", period="weekday"))
PAIR = Task(name="pair", entity="pair", target=Occurs(event_type="view"), horizon_days=10)
PAIR_LONG = PAIR.model_copy(update={"name": "pair_long", "horizon_days": 40})


@pytest.fixture(scope="module")
def reader() -> SnapshotReader:
    log = random_log(3)
    return SnapshotReader(log, SnapshotPlan.from_log(log, [PERIODS], Config(), CUTOFFS_US[-1]))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_snapshot_has_the_active_entities_of_each_cutoff(reader: SnapshotReader) -> None:
    config = Config(lookback_days=2)
    snapshot = take_snapshot(reader, "user", [SHORT], PART, config, rng())
    assert snapshot is not None
    for cutoff in CUTOFFS_US:
        here = snapshot.inputs.cutoffs_us == cutoff
        active = reader.active("user", cutoff, 2)
        assert snapshot.inputs.users[here].tolist() == active.tolist()
        alone = reader.user_inputs(active, cutoff)
        for field in fields(Inputs):
            assert same(getattr(alone, field.name), getattr(snapshot.inputs.take(here), field.name))
    assert (snapshot.weights == 1).all()
    assert len(snapshot) == len(snapshot.inputs)


def test_a_label_that_is_not_known_yet_is_missing_in_its_rows_alone(
    reader: SnapshotReader,
) -> None:
    snapshot = take_snapshot(reader, "user", [SHORT, LONG], PART, Config(), rng())
    assert snapshot is not None
    cutoffs = snapshot.inputs.cutoffs_us
    assert not np.isnan(snapshot.labels["short"]).any()  # type: ignore[arg-type]
    unknown = cutoffs + 40 * MICROSECONDS_PER_DAY > END_US
    assert unknown.any()
    assert np.array_equal(np.isnan(snapshot.labels["long"]), unknown)  # type: ignore[arg-type]


def test_a_cutoff_where_no_task_has_a_label_has_no_rows(reader: SnapshotReader) -> None:
    snapshot = take_snapshot(reader, "user", [LONG], PART, Config(), rng())
    assert snapshot is not None
    assert set(snapshot.inputs.cutoffs_us.tolist()) == set(CUTOFFS_US[:2])
    late = FoldPart(CUTOFFS_US[2:], END_US)
    assert take_snapshot(reader, "user", [LONG], late, Config(), rng()) is None


def test_periods_of_all_cutoffs_stand_below_each_other(reader: SnapshotReader) -> None:
    snapshot = take_snapshot(reader, "item", [PERIODS], PART, Config(), rng())
    assert snapshot is not None
    labels = snapshot.labels["best"]
    assert isinstance(labels, PeriodLabels)
    assert labels.amounts.shape == labels.exposure.shape == (len(snapshot), 7)
    first = snapshot.inputs.take(snapshot.inputs.cutoffs_us == CUTOFFS_US[0])
    alone = labels_of(reader, "item", first, END_US).of(PERIODS)
    assert isinstance(alone, PeriodLabels)
    assert same(alone.amounts, labels.amounts[: len(first)])


def test_pairs_are_labelled_by_their_own_events(reader: SnapshotReader) -> None:
    snapshot = take_snapshot(reader, "pair", [PAIR, PAIR_LONG], PART, Config(), rng())
    assert snapshot is not None
    log, inputs = reader.log, snapshot.inputs
    is_view = log.is_type("view")
    for name, days in (("pair", 10), ("pair_long", 40)):
        for row in range(len(snapshot)):
            cutoff = inputs.cutoffs_us[row]
            end = cutoff + days * MICROSECONDS_PER_DAY
            own = (log.user == inputs.users[row]) & (log.item == inputs.items[row]) & is_view
            ahead = own & (log.time_us > cutoff) & (log.time_us <= end)
            expected = float(ahead.any()) if end <= END_US else np.nan
            found = snapshot.labels[name][row]  # type: ignore[index]
            assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("task", [SHORT, PAIR])
def test_no_more_rows_than_asked_for(reader: SnapshotReader, task: Task) -> None:
    config = Config(max_rows=90, pair_history=3, pair_negatives=2)
    snapshot = take_snapshot(reader, task.entity, [task], PART, config, rng())
    assert snapshot is not None
    # Pairs that meet within the horizon are all kept, so the limit is not exact for them.
    assert len(snapshot) <= (90 if task.entity == "user" else 180)


def test_the_same_seed_samples_the_same_rows(reader: SnapshotReader) -> None:
    config = Config(max_rows=60)
    first, second = (take_snapshot(reader, "pair", [PAIR], PART, config, rng()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert same(first.inputs.numbers, second.inputs.numbers)
    assert same(first.weights, second.weights)


@pytest.mark.parametrize("entity", ["user", "item"])
def test_rows_in_any_order_are_read_as_they_are_one_by_one(
    entity: str, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.snapshots.aggregates._BLOCK_BYTES", 8 * 1000 * 7)
    read = reader.user_inputs if entity == "user" else reader.item_inputs
    codes = np.repeat(np.arange(5), len(CUTOFFS_US) * 4)
    cutoffs_us = np.tile(np.repeat(CUTOFFS_US, 4), 5)
    order = rng().permutation(len(codes))
    together = read(codes[order], cutoffs_us[order])
    for row, at in enumerate(order.tolist()):
        alone = read(codes[at : at + 1], cutoffs_us[at : at + 1])
        assert same(together.numbers[row : row + 1], alone.numbers)
