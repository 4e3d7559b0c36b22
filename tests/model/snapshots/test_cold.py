from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY, EventLog, to_microseconds
from model.snapshots import FoldPart, SnapshotPlan, SnapshotReader, take_cold_snapshot
from model.tasks import EntityKind, Occurs, Task

CUTOFF = pd.Timestamp("2024-03-01", tz="UTC")
CUTOFF_US = to_microseconds(CUTOFF)
PART = FoldPart((CUTOFF_US,), CUTOFF_US + 30 * MICROSECONDS_PER_DAY)
DAY = pd.Timedelta(days=1)
CONFIG = Config(lookback_days=20)


def reader() -> SnapshotReader:
    """Who comes now, who came long ago, who never came, and who is first heard of later."""
    events = pd.DataFrame(
        {
            "user": ["active", "lapsed", "lapsed", "later", "new"],
            "item": "x",
            "time": CUTOFF + np.array([-2, -40, 3, 4, 5]) * DAY,
            "event_type": "view",
        }
    )
    users = pd.DataFrame({"user": ["active", "new", "never"], "age": [30, 40, 50]})
    log = EventLog.from_frames(events, users)
    return SnapshotReader(log, SnapshotPlan.from_log(log, [], CONFIG, CUTOFF_US))


def task(entity: EntityKind = "user", days: int = 30) -> Task:
    target = Occurs(event_type="view")
    return Task(name="views", entity=entity, target=target, horizon_days=days)


def test_cold_is_who_was_known_and_had_no_event_in_the_lookback() -> None:
    read = reader()
    rng = np.random.default_rng(0)
    snapshot = take_cold_snapshot(read, "user", [task()], PART, CONFIG, rng)
    assert snapshot is not None
    assert list(read.log.users.ids[snapshot.inputs.users]) == ["lapsed", "never", "new"]
    assert snapshot.labels["views"].tolist() == [1, 0, 1]  # type: ignore[union-attr]
    assert snapshot.weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize("asked", [task("pair"), task(days=31), task("item")])
def test_where_nobody_is_cold_or_nothing_is_known_there_is_none(asked: Task) -> None:
    rng = np.random.default_rng(0)
    assert take_cold_snapshot(reader(), asked.entity, [asked], PART, CONFIG, rng) is None


def test_at_most_so_many() -> None:
    config = CONFIG.model_copy(update={"max_scored_rows": 2})
    rng = np.random.default_rng(0)
    snapshot = take_cold_snapshot(reader(), "user", [task()], PART, config, rng)
    assert snapshot is not None
    assert len(snapshot) == 2
