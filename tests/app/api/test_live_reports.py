"""What was predicted beside what then happened, through HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.domain.model_versions import get_version
from app.domain.prediction_sets import publish_set
from tests.app.domain.conftest import row_of, store_rows
from tests.app.trained_shop import TASKS, Service, upload

URL = "/model-versions/1/live-report"


def test_what_is_unknown_is_refused(service: Service) -> None:
    assert service.refused("/model-versions/9/live-report", 404)["code"]
    assert service.refused(URL, 404, task="nope")["code"] == "task_not_found"
    service.refused("/model-versions/0/live-report", 422)


def test_before_a_window_has_passed_it_says_when_it_will(service: Service) -> None:
    report = service.get(URL)
    cutoff_at = pd.Timestamp(service.shop.predictor.cutoff_at)
    assert report["model_version"] == 1
    assert pd.Timestamp(report["known_until"]) == cutoff_at
    assert set(report["tasks"]) == {task.name for task in TASKS}
    for task in TASKS:
        told = report["tasks"][task.name]
        assert (told["live"], told["windows"]) == (None, [])
        (pending,) = told["pending"]
        assert pending["source"] == "stored"
        assert pd.Timestamp(pending["cutoff_at"]) == cutoff_at
        matures_at = cutoff_at + timedelta(days=task.end_days)
        assert pd.Timestamp(pending["matures_at"]) == matures_at
        tested = service.shop.predictor.report.tasks.get(task.name)
        promised = None if tested is None else tested.served_score.skill
        assert (told["promised"] or {}).get("skill") == promised
    assert report["tasks"]["meets_14d"]["note"]


def test_nothing_has_drifted_on_the_day_of_the_training(service: Service) -> None:
    drift = service.get(URL, task="buys_14d")["drift"]
    assert set(drift) == {"user", "item"}
    for side in drift.values():
        assert side["rows"] > 0
        indices = list(side["stability_index"].values())
        assert indices == sorted(indices, reverse=True)
        assert np.median(indices) < 0.5
    names = set(drift["user"]["stability_index"])
    assert "country" in names or len(names) > 10
    assert not [name for name in names if name.startswith("calendar")]


@pytest.fixture(scope="module")
def later(service: Service) -> pd.DataFrame:
    """What happened in the 15 days after the training: half of the users buy, and look at much."""
    last = service.shop.events["time"].max()
    users = sorted(service.shop.log.users.ids)[::2]
    rows = [
        {
            "user": user,
            "item": "i00001",
            "time": last + pd.Timedelta(days=1 + number % 10, seconds=number),
            "event_type": "purchase",
        }
        for number, user in enumerate(users)
    ]
    rows.append({"user": users[0], "item": "i00002", "time": last + pd.Timedelta(days=15)})
    rows[-1]["event_type"] = "view"
    events = pd.DataFrame(rows).assign(
        device="desk", stars=5.0, quantity=1.0, price=10.0, value=10.0
    )
    upload(service.client, "events", events[service.shop.events.columns])
    return events


def test_once_they_have_passed_windows_are_compared(service: Service, later: pd.DataFrame) -> None:
    report = service.get(URL)
    cutoff_at = pd.Timestamp(service.shop.predictor.cutoff_at)
    log, predictor = service.shop.log, service.shop.predictor
    lookback = predictor.artifact.description.config.lookback_days
    events = service.shop.events
    recent = events[pd.to_datetime(events["time"], utc=True) > cutoff_at - timedelta(days=lookback)]
    active = set(recent["user"].dropna())
    buyers = set(later.loc[later["event_type"] == "purchase", "user"])
    told = report["tasks"]["buys_14d"]
    (window,) = told["windows"]
    assert told["pending"] == []
    assert window["live"] == told["live"]
    live = told["live"]
    assert live["rows"] == len(active)
    assert live["observed_mean"] == pytest.approx(len(active & buyers) / len(active))
    found = predictor.predict(log, ["buys_14d"], sorted(active))["buys_14d"]
    chance = found.point
    happened = np.array([user in buyers for user in sorted(active)])
    nll = -np.where(happened, np.log(chance), np.log1p(-chance)).mean()
    assert live["nll"] == pytest.approx(nll, abs=1e-5)
    assert live["skill"] == pytest.approx(1 - live["nll"] / live["climatology_nll"])
    assert live["skill_low"] <= live["skill"] <= live["skill_high"]
    assert live["predicted_mean"] == pytest.approx(chance.mean(), abs=1e-6)
    assert live["calibration_error"] >= 0
    assert live["reliability"]
    for task in TASKS:
        score = report["tasks"][task.name]["live"]
        assert score is not None, task.name
        assert np.isfinite([score["nll"], score["skill"], score["climatology_nll"]]).all()
    sold = report["tasks"]["sold_14d"]["live"]
    assert sold["reliability"] == []
    assert sold["observed_mean"] == pytest.approx(1 / sold["rows"])


def test_what_came_since_shows_in_the_features(service: Service, later: pd.DataFrame) -> None:
    drift = service.get(URL, task="buys_14d")["drift"]["user"]
    assert max(drift["stability_index"].values()) > 0.25


def test_several_predictions_of_a_task_are_told_apart(
    service: Service, later: pd.DataFrame
) -> None:
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, "shop")
        rows = [row_of(str(user), 0.5, task="buys_14d") for user in service.shop.log.users.ids]
        stored = store_rows(session, dataset, [*rows, row_of("gone", 0.5, task="buys_14d")])
        stored.cutoff_at = service.shop.predictor.cutoff_at + timedelta(seconds=1)
        publish_set(session, stored, get_version(session, dataset, 1))
    told: dict[str, Any] = service.get(URL, task="buys_14d")["tasks"]["buys_14d"]
    half, trained = told["windows"]
    assert half["live"]["nll"] == pytest.approx(np.log(2))
    assert told["live"]["rows"] == half["live"]["rows"] + trained["live"]["rows"]
