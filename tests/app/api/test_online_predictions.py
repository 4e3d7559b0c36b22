"""Predictions follow the log, the aliases and the datasets as they change."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from app.main import create_app
from model.events import EventLog
from tests.app.trained_shop import NAME, NEWCOMER, STRANGER, Service, upload

TOLERANCE = 1e-6
USER, ITEM = "u00001", "i00001"


def point(service: Service, task: str, entity: str, cutoff_at: object, **query: str) -> float:
    """What the model says of it directly."""
    shop, moment = service.shop, pd.Timestamp(str(cutoff_at)).to_pydatetime()
    if "item" in query:
        pairs = [(entity, query["item"])]
        found = shop.predictor.predict_pairs(shop.log, [task], pairs, moment)[task]
    else:
        found = shop.predictor.predict(shop.log, [task], [entity], moment)[task]
    return float(found.point[0])


@pytest.mark.parametrize("days", [0, 1, 30, 100])
def test_an_earlier_answer_is_the_offline_one_of_that_cutoff(service: Service, days: int) -> None:
    as_of = service.shop.predictor.cutoff_at - timedelta(days=days)
    for task, entity, query in (
        ("buys_14d", USER, {}),
        ("sold_14d", ITEM, {}),
        ("best_weekday", ITEM, {}),
        ("meets_14d", USER, {"item": ITEM}),
    ):
        url = f"/tasks/{task}/predictions/{entity}"
        answer = service.get(url, as_of=as_of.isoformat(), **query)
        assert pd.Timestamp(answer["cutoff_at"]) == as_of
        expected = point(service, task, entity, as_of, **query)
        assert answer["point"] == pytest.approx(expected, abs=TOLERANCE)
    body = {"tasks": ["spend_14d"], "users": [USER, STRANGER]}
    (many, _) = service.predict(body, as_of=as_of.isoformat())["predictions"]
    assert pd.Timestamp(many["cutoff_at"]) == as_of
    assert many["point"] == pytest.approx(point(service, "spend_14d", USER, as_of), abs=TOLERANCE)


def test_now_is_the_wall_clock(service: Service) -> None:
    before = pd.Timestamp.now("UTC").floor("s")
    answer = service.get(f"/tasks/buys_14d/predictions/{USER}", as_of="now")
    assert before <= pd.Timestamp(answer["cutoff_at"]) <= pd.Timestamp.now("UTC")


@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        ("yesterday", "not_a_time"),
        ("2024-05-31T18:30:00", "not_a_time"),
        ("1999-01-01T00:00:00Z", "before_the_log"),
        ("2999-01-01T00:00:00Z", "future_time"),
    ],
)
def test_a_moment_that_makes_no_sense_is_refused(service: Service, as_of: str, code: str) -> None:
    url = f"/tasks/buys_14d/predictions/{USER}"
    for problem in (
        service.refused(url, 422, as_of=as_of),
        service.predict({"users": [USER]}, 422, as_of=as_of),
    ):
        (error,) = problem["errors"]
        assert (error["pointer"], error["code"]) == ("/query/as_of", code)
        assert as_of in problem["detail"]


def test_events_that_are_imported_move_the_clock_on(service: Service) -> None:
    service.refused(f"/tasks/buys_14d/predictions/{NEWCOMER}", 404)
    later = service.shop.events.tail(1).assign(user=NEWCOMER)
    later["time"] += pd.Timedelta(days=1)
    upload(service.client, "events", later)
    newest = pd.Timestamp(later["time"].iloc[0]).ceil("s")
    answer = service.get(f"/tasks/buys_14d/predictions/{NEWCOMER}")
    assert not answer["cold_start"]
    assert pd.Timestamp(answer["cutoff_at"]) == newest
    then = service.shop.predictor.cutoff_at.isoformat()
    assert service.get(f"/tasks/buys_14d/predictions/{NEWCOMER}", as_of=then)["cold_start"]
    events = pd.concat([service.shop.events, later])
    rebuilt = EventLog.from_frames(events, service.shop.users, service.shop.items)
    for user in (USER, NEWCOMER):
        found = service.get(f"/tasks/spend_14d/predictions/{user}")
        expected = service.shop.predictor.predict(
            rebuilt, ["spend_14d"], [user], newest.to_pydatetime()
        )["spend_14d"]
        assert found["point"] == pytest.approx(float(expected.point[0]), abs=TOLERANCE)


def test_another_process_sees_that_a_dataset_is_gone(service: Service) -> None:
    """Last, since it leaves nothing."""
    from fastapi.testclient import TestClient

    url = f"/v1/datasets/{NAME}/tasks/buys_14d/predictions/{USER}"
    with TestClient(create_app(service.settings)) as other:
        assert other.get(url).status_code == 200
        assert service.client.delete(f"/v1/datasets/{NAME}").status_code == 204
        assert service.client.get(url).status_code == 404
        other.app.state.predicting.serving.look()  # type: ignore[attr-defined]
        assert other.get(url).status_code == 404
