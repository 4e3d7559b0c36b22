"""A shadow says beside each answer what it would have said, and is compared when it is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from app.api.predicting import Predicting
from app.db.engine import transaction
from app.db.tables import PredictionLog
from app.db.types import utc_now
from app.domain import shadow
from app.domain.datasets import get_dataset
from app.domain.prediction_log import remove_logged
from app.domain.shadow import Shadow
from tests.app.trained_shop import NAME, Service, upload

USERS = [f"u{number:05}" for number in range(1, 41)]
ALIAS = f"/v1/datasets/{NAME}/aliases/shadow"
REPORT = "/model-versions/2/shadow-report"


def settled(service: Service) -> None:
    predicting: Predicting = service.client.app.state.predicting  # type: ignore[attr-defined]
    assert predicting.shadow.settle(60)


def logged(service: Service) -> int:
    with transaction(service.sessions, write=False) as session:
        return session.scalar(select(func.sum(PredictionLog.rows))) or 0


@pytest.fixture(scope="module")
def shadowed(service: Service) -> Iterator[Service]:
    """The service with a second version as its shadow: the same model, by another number."""
    with transaction(service.sessions) as session:
        dataset = get_dataset(session, NAME)
        service.shop.publish(session, dataset, service.settings.data_dir, answers=False)
    assert service.client.put(ALIAS, json={"version": 2}).status_code == 201
    # The first question may find the shadow not ready yet.
    service.predict({"tasks": ["buys_14d"], "users": USERS[:1]})
    settled(service)
    return service


def test_without_a_shadow_nothing_is_logged(service: Service) -> None:
    service.predict({"tasks": ["buys_14d"], "users": USERS})
    settled(service)
    assert logged(service) == 0


def test_what_was_answered_is_logged_beside_what_the_shadow_says(shadowed: Service) -> None:
    before = logged(shadowed)
    one = shadowed.get(f"/tasks/buys_14d/predictions/{USERS[0]}")
    many = shadowed.predict({"tasks": ["buys_14d", "spend_14d"], "users": USERS})
    pair = {"user": USERS[0], "item": "i00001"}
    shadowed.predict({"tasks": ["meets_14d"], "pairs": [pair]})
    settled(shadowed)
    assert logged(shadowed) - before == 1 + 2 * len(USERS) + 1
    assert {answer["model_version"] for answer in [one, *many["predictions"]]} == {1}


def test_what_the_shadow_is_asked_itself_is_not_logged(shadowed: Service) -> None:
    before = logged(shadowed)
    shadowed.predict({"tasks": ["buys_14d"], "users": USERS}, version="shadow")
    settled(shadowed)
    assert logged(shadowed) == before


def test_before_windows_have_passed_the_report_says_when(shadowed: Service) -> None:
    report = shadowed.get(REPORT)
    assert (report["model_version"], report["tasks"]["buys_14d"]["compared"]) == (2, [])
    waiting = report["tasks"]["buys_14d"]
    assert waiting["waiting"] >= len(USERS)
    cutoff_at = pd.Timestamp(shadowed.shop.predictor.cutoff_at)
    assert pd.Timestamp(waiting["matures_at"]) == cutoff_at + timedelta(days=14)
    live = shadowed.get("/model-versions/1/live-report", task="buys_14d")["tasks"]["buys_14d"]
    assert "logged" in {pending["source"] for pending in live["pending"]}
    assert shadowed.get("/model-versions/1/shadow-report")["tasks"] == {}
    assert shadowed.refused("/model-versions/9/shadow-report", 404)["code"]


def test_both_are_compared_with_what_happened(shadowed: Service) -> None:
    last = shadowed.shop.events["time"].max()
    rows = [
        {"user": user, "item": "i00001", "time": last + pd.Timedelta(days=day), "event_type": kind}
        for user, day, kind in [(USERS[0], 3, "purchase"), (USERS[1], 16, "view")]
    ]
    more = pd.DataFrame(rows).assign(device="desk", stars=5.0, quantity=1.0, price=9.0, value=9.0)
    upload(shadowed.client, "events", more[shadowed.shop.events.columns])
    report = shadowed.get(REPORT)
    told: dict[str, Any] = report["tasks"]["buys_14d"]
    (compared,) = told["compared"]
    assert (compared["answered_by"], told["waiting"]) == (1, 0)
    assert 0 < compared["rows"] <= len(USERS) + 2
    # Both are the same model: neither is better.
    assert compared["gain_nats"] == pytest.approx(0, abs=1e-9)
    assert compared["gain_low"] <= compared["gain_nats"] <= compared["gain_high"]
    assert compared["point_difference"] == pytest.approx(0, abs=1e-9)
    assert compared["answered"] == compared["shadow"]
    assert compared["answered"]["observed_mean"] > 0
    assert np.isfinite(report["tasks"]["spend_14d"]["compared"][0]["answered"]["skill"])
    for number in (1, 2):  # as the one that answered, and as the shadow
        live = shadowed.get(f"/model-versions/{number}/live-report", task="buys_14d")
        windows = live["tasks"]["buys_14d"]["windows"]
        found = [window for window in windows if window["source"] == "logged"]
        assert found[0]["live"]["rows"] == compared["rows"]


def test_what_finds_no_room_is_dropped_and_counted(
    shadowed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "MAX_REQUESTS", 0)
    before, dropped = logged(shadowed), shadowed.get(REPORT)["dropped"]
    shadowed.predict({"tasks": ["buys_14d"], "users": USERS})
    settled(shadowed)
    assert logged(shadowed) == before
    assert shadowed.get(REPORT)["dropped"] == dropped + 1


def test_a_failing_log_harms_nobody(shadowed: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise OSError("the disk is full")

    predicting: Predicting = shadowed.client.app.state.predicting  # type: ignore[attr-defined]
    monkeypatch.setattr(predicting.shadow, "_write", refuse)
    before = logged(shadowed)
    assert shadowed.predict({"tasks": ["buys_14d"], "users": USERS})["predictions"]
    settled(shadowed)
    assert logged(shadowed) == before
    assert predicting.shadow.dropped.total() > 0


def test_a_share_of_nothing_asks_nothing(shadowed: Service) -> None:
    predicting: Predicting = shadowed.client.app.state.predicting  # type: ignore[attr-defined]
    written: list[object] = []
    idle = Shadow(written.append, predicting.serving.prepare, share=0.0)
    served = predicting.serving.find(NAME)
    assert served is not None
    assert idle.settle(1)
    idle.close()
    assert written == []


def test_old_logs_are_removed(shadowed: Service) -> None:
    with transaction(shadowed.sessions) as session:
        assert remove_logged(session, utc_now() - timedelta(days=1)) == 0
        assert remove_logged(session, utc_now() + timedelta(days=1)) > 0
        assert remove_logged(session, utc_now() + timedelta(days=1)) == 0
    assert logged(shadowed) == 0
