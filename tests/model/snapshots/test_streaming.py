from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY
from model.snapshots import PeriodLabels, SnapshotPlan, SnapshotReader
from model.snapshots.snapshot import labels_of
from model.snapshots.streaming import Stream
from model.tasks import Count, Occurs, PeakPeriod, Task
from tests.model.events.test_packed import packed
from tests.model.made_logs import START_US, random_log, same

CUTOFFS_US = tuple(START_US + days * MICROSECONDS_PER_DAY for days in (3, 30, 60, 61, 100))
TASKS: dict[str, list[Task]] = {
    "user": [
        Task(name="a", entity="user", target=Occurs(event_type="purchase"), horizon_days=20),
        Task(name="b", entity="user", target=Count(event_type="view"), horizon_days=7),
    ],
    "item": [
        Task(name="c", entity="item", target=Count(event_type="cart", of="units"), horizon_days=9),
        Task(name="d", entity="item", target=PeakPeriod(event_type="view", period="weekday")),
    ],
}


def stream_of(seed: int, entity: Literal["user", "item"], is_packed: bool = False) -> Stream:
    log = random_log(seed)
    if is_packed:
        log = replace(log, packed=packed(log))
    plan = SnapshotPlan.from_log(log, TASKS[entity], Config(sequence_length=5), CUTOFFS_US[-1])
    return Stream(log, plan, entity, TASKS[entity], CUTOFFS_US, log.last_us)


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("entity", ["user", "item"])
@pytest.mark.parametrize(("events_at_once", "threads"), [(1, 1), (150, 1), (150, 2), (10**6, 1)])
def test_blocks_are_the_snapshot_of_the_whole_log(
    entity: Literal["user", "item"], events_at_once: int, threads: int, is_packed: bool
) -> None:
    stream = stream_of(1, entity, is_packed)
    reader = SnapshotReader(stream.log.until(stream.log.last_us), stream.plan)
    read = reader.user_inputs if entity == "user" else reader.item_inputs
    rows: dict[int, list[int]] = {cutoff_us: [] for cutoff_us in CUTOFFS_US}
    for block in stream.blocks(events_at_once, threads):
        inputs = block.snapshot.inputs
        codes = inputs.users if entity == "user" else inputs.items
        for row, cutoff_us in enumerate(inputs.cutoffs_us.tolist()):
            rows[cutoff_us].append(int(codes[row]))
            one = read(codes[row : row + 1], cutoff_us)
            assert same(inputs.numbers[row : row + 1], one.numbers)
            assert same(inputs.item_codes[row : row + 1], one.item_codes)
            for name, values in reader.arrays(one).items():
                assert same(block.arrays[name][row : row + 1], values), name
            labels = labels_of(reader, entity, one, stream.label_end_us)
            for task in stream.tasks:
                found, expected = block.snapshot.labels[task.name], labels.of(task)
                if isinstance(expected, PeriodLabels):
                    assert isinstance(found, PeriodLabels)
                    assert same(found.amounts[row : row + 1], expected.amounts)
                    assert same(found.exposure[row : row + 1], expected.exposure)
                else:
                    assert not isinstance(found, PeriodLabels)
                    assert same(found[row : row + 1], expected)
    for cutoff_us, codes_seen in rows.items():
        assert sorted(codes_seen) == reader.active(entity, cutoff_us, 10_000).tolist()


def test_a_log_of_nobody_has_no_blocks() -> None:
    stream = stream_of(2, "user")
    empty = stream.log.until(START_US - MICROSECONDS_PER_DAY)
    nothing = Stream(empty, stream.plan, "user", [], CUTOFFS_US, stream.label_end_us)
    assert sum(len(block.snapshot) for block in nothing.blocks()) == 0


def test_only_the_chosen_features_are_read() -> None:
    stream = stream_of(3, "user")
    names = [feature.name for feature in SnapshotReader(stream.log, stream.plan).features("user")]
    chosen = (names[4], names[1], "recency", "gap_mean")
    users = stream.plan.users.model_copy(update={"only": chosen})
    reader = SnapshotReader(stream.log, stream.plan.model_copy(update={"users": users}))
    kept = [name for name in names if name in chosen]
    assert [feature.name for feature in reader.features("user")] == kept
    everyone = np.arange(len(stream.log.users))
    all_numbers = SnapshotReader(stream.log, stream.plan).user_inputs(everyone, CUTOFFS_US[2])
    few = reader.user_inputs(everyone, CUTOFFS_US[2]).numbers
    assert same(few, all_numbers.numbers[:, [names.index(name) for name in kept]].copy())
