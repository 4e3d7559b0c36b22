from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model import Config, Next, Task
from model.events import EventLog
from model.snapshots import PersonalFrequency, final_part
from model.training.preparation import Prepared, prepare
from model.training.selection import baselines_of, task_nll

SHELVES = ("bread", "fruit", "milk", "wine")
TASK = Task(
    name="next", entity="user", target=Next(of="item.shelf", event_type="buy"), horizon_days=14
)


def shop(loyalty: float) -> EventLog:
    """Each user has a shelf of their own and buys from it so often; else from any, wine seldom."""
    rng = np.random.default_rng(0)
    users, days = 60, 240
    own = np.arange(users) % len(SHELVES)
    rows = []
    for user in range(users):
        for day in np.flatnonzero(rng.random(days) < 0.2):
            is_own = rng.random() < loyalty
            shelf = own[user] if is_own else rng.choice(4, p=[0.32, 0.32, 0.32, 0.04])
            rows.append((f"u{user}", f"{SHELVES[shelf]} {rng.integers(6)}", day))
    events = pd.DataFrame(rows, columns=["user", "item", "day"])
    events["time"] = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(events["day"], "D")
    items = pd.DataFrame(
        [{"item": f"{shelf} {n}", "shelf": shelf} for shelf in SHELVES for n in range(6)]
    )
    return EventLog.from_frames(events.drop(columns="day").assign(event_type="buy"), items=items)


def prepared_of(log: EventLog) -> Prepared:
    config = Config(max_cutoffs=6, self_supervision=0)
    return prepare(log, [TASK], final_part(log, [TASK], 6), config, np.random.default_rng(0))


def nll_of(prepared: Prepared, source: str) -> float:
    """Mean nats of a baseline on the training rows."""
    examples = prepared.training["user"]
    layout = prepared.layouts["user"]
    climatology = np.repeat(prepared.baselines["user"].climatology[None], len(examples), axis=0)
    parameters = examples.naive["next"] if source == "personal_frequency" else climatology
    return float(task_nll(layout, "next", parameters, examples.labels).nanmean())


def forecast_of(prepared: Prepared) -> PersonalFrequency:
    forecast = prepared.forecasts["next"]
    assert isinstance(forecast, PersonalFrequency)
    return forecast


def test_who_has_habits_is_known_by_them() -> None:
    prepared = prepared_of(shop(loyalty=0.8))
    forecast = forecast_of(prepared)
    assert forecast.classes == SHELVES
    assert forecast.weight > 0.7
    assert nll_of(prepared, "personal_frequency") < 0.7 * nll_of(prepared, "climatology")


def test_where_nobody_has_habits_they_count_for_little() -> None:
    prepared = prepared_of(shop(loyalty=0.0))
    forecast = forecast_of(prepared)
    assert forecast.weight < 0.5
    assert np.argmin(forecast.biases) == SHELVES.index("wine")
    ratio = nll_of(prepared, "personal_frequency") / nll_of(prepared, "climatology")
    assert ratio == pytest.approx(1, abs=0.02)


def test_it_is_the_baseline_that_is_trusted_without_a_test() -> None:
    assert baselines_of(TASK)[-1] == "personal_frequency"


def test_the_network_learns_what_is_beyond_it() -> None:
    prepared = prepared_of(shop(loyalty=0.8))
    examples, columns = prepared.training["user"], prepared.layouts["user"].columns_of("next")
    assert (examples.offsets[:, columns].numpy() == examples.naive["next"]).all()
    network = prepared.network(Config())
    assert (network.kind("user").stage.bias[columns] == 0).all()
