"""Datasets whose first events are posted, and such as have no times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient

from tests.app.api.uploads import EVENTS, make_dataset, uploaded

TASK = {
    "entity": "user",
    "target": {"kind": "occurs", "event_type": "purchase"},
    "horizon_days": 7,
}


def post(client: TestClient, events: list[dict[str, Any]], status: int = 201) -> Any:
    answer = client.post("/v1/datasets/shop/events", json=events)
    assert answer.status_code == status, answer.text
    return answer.json()


def profile(client: TestClient) -> Any:
    return client.get("/v1/datasets/shop").json()


def test_a_log_may_begin_with_posted_events(client: TestClient) -> None:
    make_dataset(client)
    event = {"user_id": "u1", "item_id": "i1", "time": "2024-01-01T10:00:00Z", "event_type": "view"}
    assert post(client, [event])["rows_accepted"] == 1
    assert (profile(client)["tail_events"], profile(client)["rows"]["events"]) == (1, 0)
    problem = post(client, [{"user_id": "u1", "item_id": "i1", "event_type": "view"}], 422)
    assert problem["code"] == "missing_column"
    report = uploaded(client, EVENTS)
    assert (report["rows_accepted"], report["rows_duplicate"]) == (3, 1)


def test_event_ids_tell_posted_events_apart(client: TestClient) -> None:
    make_dataset(client, events={"columns": {"event_id": "id"}})
    at = datetime(2024, 1, 1, tzinfo=UTC)
    events = [
        {
            "id": number,
            "user_id": f"u{number}",
            "item_id": "i1",
            "time": (at + timedelta(days=number)).isoformat(),
            "event_type": "view",
        }
        for number in range(3)
    ]
    assert post(client, events)["rows_accepted"] == 3
    again = {**events[0], "time": at.isoformat(), "user_id": "another"}
    assert post(client, [again])["rows_duplicate"] == 1


def test_a_training_learns_from_what_was_posted(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    event = {"user_id": "u9", "item_id": "i1", "time": "2024-09-01T10:00:00Z", "event_type": "view"}
    post(client, [event])
    assert client.put("/v1/datasets/shop/tasks/buys", json=TASK).status_code == 201
    answer = client.post("/v1/datasets/shop/training-jobs")
    assert answer.status_code == 202, answer.text
    told = profile(client)
    assert (told["tail_events"], told["rows"]["events"], told["users"]) == (0, 5, 3)
    assert told["last_at"] == "2024-09-01T10:00:00Z"


def test_events_without_times_become_a_part_at_once(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, "user_id,item_id,rating\nu1,i1,5\nu2,i1,3\n")
    events = [{"user_id": "u3", "item_id": "i1", "rating": 4}]
    assert post(client, events)["rows_accepted"] == 1
    told = profile(client)
    assert (told["tail_events"], told["rows"]["events"], told["has_time"]) == (0, 3, False)
    assert post(client, events)["rows_duplicate"] == 1
