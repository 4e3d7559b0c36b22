from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import TaskRow
from app.domain.firing import due_schedules, fire
from tests.app.declared_shop import declare_shop

Sessions = sessionmaker[Session]

URL = "/v1/datasets/shop/schedules"


@pytest.fixture(autouse=True)
def shop(session_factory: Sessions) -> None:
    with transaction(session_factory) as session:
        declare_shop(session)


def put(client: TestClient, body: Any, name: str = "nightly", **headers: str) -> Any:
    return client.put(f"{URL}/{name}", json=body, headers=headers)


def fire_all(sessions: Sessions) -> None:
    with transaction(sessions) as session:
        for schedule_id in due_schedules(session):
            fire(session, schedule_id)


def test_a_schedule_is_made_changed_and_forgotten(client: TestClient) -> None:
    made = put(client, {"cron": "0 3 * * *", "training": {"seed": 7}})
    assert made.status_code == 201, made.text
    schedule = made.json()
    assert schedule == client.get(f"{URL}/nightly").json()
    assert (schedule["name"], schedule["cron"], schedule["enabled"]) == (
        "nightly",
        "0 3 * * *",
        True,
    )
    assert (schedule["time_zone"], schedule["training"]["seed"]) == ("UTC", 7)
    assert (schedule["last_run_at"], schedule["last_job_id"], schedule["last_error"]) == (None,) * 3
    changed = put(client, {"after_new_events": 5000})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    assert (changed.json()["cron"], changed.json()["next_run_at"]) == (None, None)
    assert changed.json()["new_events"] == 1000
    assert client.delete(f"{URL}/nightly").status_code == 204
    gone = client.get(f"{URL}/nightly")
    assert (gone.status_code, gone.json()["code"]) == (404, "schedule_not_found")


def test_the_same_put_again_changes_nothing(client: TestClient) -> None:
    body = {"cron": "0 3 * * *", "training": {"config": {"max_epochs": 3}}}
    first, second = put(client, body), put(client, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.headers["ETag"] == second.headers["ETag"]


def test_the_next_run_is_at_that_hour_of_the_named_zone(client: TestClient) -> None:
    body = {"cron": "30 2 * * *", "time_zone": "America/New_York"}
    schedule = put(client, body).json()
    due_at = datetime.fromisoformat(schedule["next_run_at"])
    local = due_at.astimezone(ZoneInfo("America/New_York"))
    assert (schedule["time_zone"], local.hour, local.minute) == ("America/New_York", 2, 30)


@pytest.mark.parametrize(
    ("body", "pointer", "code", "named"),
    [
        ({"cron": "often"}, "/body/cron", "invalid_cron", "'often'"),
        (
            {"cron": "0 3 * * *", "time_zone": "Mars"},
            "/body/time_zone",
            "unknown_time_zone",
            "Mars",
        ),
        ({}, "/body", "invalid_schedule", "`after_new_events`"),
        ({"cron": "0 3 * * *", "after_new_events": 5}, "/body", "invalid_schedule", "either"),
        (
            {"after_new_events": 5, "time_zone": "UTC"},
            "/body/time_zone",
            "invalid_schedule",
            "cron",
        ),
        ({"after_new_events": 0}, "/body/after_new_events", "invalid", "after_new_events"),
        ({"every": "day"}, "/body/every", "invalid", "every"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_place_and_a_way_out(
    client: TestClient, body: Any, pointer: str, code: str, named: str
) -> None:
    answer = put(client, body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert named in answer.json()["detail"]
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_change_of_another_state_is_refused(client: TestClient) -> None:
    etag = put(client, {"cron": "0 3 * * *"}).headers["ETag"]
    assert put(client, {"cron": "0 4 * * *"}, **{"If-Match": etag}).status_code == 200
    assert put(client, {"cron": "0 5 * * *"}, **{"If-Match": etag}).status_code == 412
    assert client.delete(f"{URL}/nightly", headers={"If-Match": etag}).status_code == 412
    missing = put(client, {"cron": "0 5 * * *"}, "other", **{"If-Match": "*"})
    assert missing.status_code == 412


def test_pause_and_resume(client: TestClient) -> None:
    put(client, {"cron": "0 3 * * *"})
    for _ in range(2):
        paused = client.post(f"{URL}/nightly/pause").json()
        assert (paused["enabled"], paused["next_run_at"], paused["revision"]) == (False, None, 2)
    for _ in range(2):
        resumed = client.post(f"{URL}/nightly/resume").json()
        assert (resumed["enabled"], resumed["revision"]) == (True, 3)
        assert resumed["next_run_at"] is not None
    assert client.post(f"{URL}/nope/pause").status_code == 404


def test_a_job_says_which_schedule_made_it_and_the_schedule_which_job(
    client: TestClient, session_factory: Sessions
) -> None:
    put(client, {"after_new_events": 1000})
    fire_all(session_factory)
    schedule = client.get(f"{URL}/nightly").json()
    job = client.get(f"/v1/training-jobs/{schedule['last_job_id']}").json()
    assert (job["schedule"], job["state"]) == ("nightly", "queued")
    assert schedule["new_events"] == 0
    by_hand = client.post("/v1/datasets/shop/training-jobs").json()
    assert by_hand["schedule"] is None
    client.delete(f"{URL}/nightly")
    assert client.get(f"/v1/training-jobs/{job['id']}").json()["schedule"] == "nightly"


def test_what_hinders_it_is_shown(client: TestClient, session_factory: Sessions) -> None:
    with transaction(session_factory) as session:
        session.query(TaskRow).delete()
    put(client, {"after_new_events": 1000})
    fire_all(session_factory)
    error = client.get(f"{URL}/nightly").json()["last_error"]
    assert error["code"] == "no_tasks"
    assert "/tasks/<name>" in error["message"]


def test_the_list_is_paged_by_name(client: TestClient) -> None:
    for name in ("c", "a", "b"):
        put(client, {"cron": "0 3 * * *"}, name)
    page = client.get(URL, params={"limit": 2}).json()
    rest = client.get(URL, params={"cursor": page["next_cursor"]}).json()
    assert [[row["name"] for row in found["items"]] for found in (page, rest)] == [
        ["a", "b"],
        ["c"],
    ]


def test_schedules_go_with_their_dataset(client: TestClient) -> None:
    put(client, {"cron": "0 3 * * *"})
    assert client.delete("/v1/datasets/shop").status_code == 204
    assert client.get(URL).json()["code"] == "dataset_not_found"
