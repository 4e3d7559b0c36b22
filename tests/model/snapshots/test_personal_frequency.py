from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from model.config import Config
from model.events import EventLog
from model.snapshots import PersonalFrequency, SnapshotPlan, SnapshotReader, has_personal_frequency
from model.snapshots.features import MAX_AFFINITY_VALUES
from model.tasks import Column, Next, Occurs, Task

SHELVES = tuple(f"shelf {number}" for number in range(8))


def task(of: str, name: str = "next", entity: str = "user") -> Task:
    target = Next(of=of, event_type="buy")
    return Task(name=name, entity=entity, target=target, horizon_days=7)


def log_of(**bought: dict[str, int]) -> EventLog:
    """So many events of each user with an item of each shelf; everything is viewed once."""
    rows = [
        {"user": user, "item": shelf, "event_type": "buy"}
        for user, shelves in bought.items()
        for shelf, times in shelves.items()
        for _ in range(times)
    ]
    rows += [
        {"user": "looks", "item": shelf, "event_type": kind}
        for shelf in SHELVES
        for kind in ["view"] + ["buy"] * 5
    ]
    times = pd.date_range("2024-01-01", periods=len(rows), freq="h", tz="UTC")
    items = pd.DataFrame({"item": SHELVES, "shelf": SHELVES, "colour": "red"})
    # An attribute's values need to be on a few items.
    more = pd.DataFrame(
        [
            {"item": f"{shelf}/{n}", "shelf": shelf, "colour": "red"}
            for shelf in SHELVES
            for n in "abcd"
        ]
    )
    return EventLog.from_frames(
        pd.DataFrame(rows).assign(time=times), items=pd.concat([items, more])
    )


def reader_of(log: EventLog, *tasks: Task) -> SnapshotReader:
    return SnapshotReader(log, SnapshotPlan.from_log(log, tasks, Config(), log.last_us))


def shares_of(
    reader: SnapshotReader, user: str, weight: float = 1.0, classes: tuple[str, ...] = SHELVES
) -> dict[str, float]:
    forecast = PersonalFrequency(
        attribute="shelf", classes=classes, weight=weight, biases=(0.0,) * len(classes)
    )
    inputs = reader.user_inputs(reader.log.users.find([user]), reader.log.last_us)
    columns = [feature.name for feature in reader.features("user")]
    (logs,) = forecast.log_shares(inputs, columns, reader.log)
    return dict(zip(classes, np.exp(logs).tolist(), strict=True))


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        (task("item.shelf"), True),
        (task("event_type"), False),
        (task("event.channel"), False),
        (Task(name="buys", entity="user", target=Occurs(event_type="buy"), horizon_days=7), False),
        (Task(name="rates", entity="pair", target=Column(column="rating"), horizon_days=7), False),
    ],
)
def test_of_the_attributes_of_items_alone(asked: Task, has: bool) -> None:
    assert has_personal_frequency(asked) is has


def test_every_asked_value_is_a_feature() -> None:
    log = log_of(anna={"shelf 0": 3})
    every = {f"share_of_shelf_{shelf}" for shelf in SHELVES}
    assert len(SHELVES) > MAX_AFFINITY_VALUES
    names = {feature.name for feature in reader_of(log, task("item.shelf")).features("user")}
    assert every <= names
    names = {feature.name for feature in reader_of(log).features("user")}
    assert len(every & names) == MAX_AFFINITY_VALUES


def test_the_next_one_is_likely_as_often_as_it_was_met() -> None:
    reader = reader_of(
        log_of(anna={"shelf 0": 6, "shelf 3": 2}, new={"shelf 1": 1}), task("item.shelf")
    )
    found = shares_of(reader, "anna")
    assert found["shelf 0"] == pytest.approx(7 / 16)
    assert found["shelf 3"] == pytest.approx(3 / 16)
    assert found["shelf 5"] == pytest.approx(1 / 16)
    assert shares_of(reader, "new")["shelf 1"] == pytest.approx(2 / 9)


def test_the_weight_says_how_much_the_past_counts() -> None:
    reader = reader_of(log_of(anna={"shelf 0": 6}), task("item.shelf"))
    assert shares_of(reader, "anna", weight=0)["shelf 0"] == pytest.approx(1 / len(SHELVES))
    half = shares_of(reader, "anna", weight=0.5)
    assert half["shelf 0"] / half["shelf 1"] == pytest.approx(7**0.5)


def test_a_class_that_is_no_value_counts_as_the_average() -> None:
    reader = reader_of(log_of(anna={"shelf 0": 6}), task("item.shelf"))
    classes = (*SHELVES[:3], "other")
    found = shares_of(reader, "anna", classes=classes)
    assert found["shelf 1"] < found["other"] < found["shelf 0"]


def test_what_is_not_known_counts_as_the_average() -> None:
    """An explanation asks what is said of somebody whose past is hidden."""
    reader = reader_of(log_of(anna={"shelf 0": 6}), task("item.shelf"))
    inputs = reader.user_inputs(reader.log.users.find(["anna"]), reader.log.last_us)
    hidden = replace(inputs, numbers=np.full_like(inputs.numbers, np.nan))
    forecast = PersonalFrequency(attribute="shelf", classes=SHELVES, weight=1, biases=(0.0,) * 8)
    columns = [feature.name for feature in reader.features("user")]
    found = np.exp(forecast.log_shares(hidden, columns, reader.log))
    np.testing.assert_allclose(found, 1 / 8, rtol=1e-6)
