from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import TaskRow
from app.jobs.claim import claim
from app.jobs.ending import Failure, fail, finish
from app.jobs.lease import Run
from model.tasks import Task
from tests.app.declared_shop import BUYS, SPENDS, add_dataset, add_events, declare_shop

Sessions = sessionmaker[Session]


@pytest.fixture
def shop(session_factory: Sessions) -> str:
    """A dataset with two declared tasks and a year of events."""
    with transaction(session_factory) as session:
        return declare_shop(session).name


def submit(client: TestClient, shop: str, body: Any = None, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/v1/datasets/{shop}/training-jobs", json=body, headers=headers)


def claim_next(sessions: Sessions) -> Run:
    with transaction(sessions) as session:
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
    assert run is not None
    return run


def test_a_submitted_job_is_accepted_and_can_be_looked_at(client: TestClient, shop: str) -> None:
    answer = submit(client, shop, {"seed": 7})
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) >= 1
    job = client.get(answer.headers["Location"]).json()
    assert job == answer.json()
    assert (job["dataset"], job["state"], job["seed"]) == ("shop", "queued", 7)
    assert job["tasks"] == ["buys_30d", "spends_30d"]
    assert job["progress"] is None
    assert job["error"] is None


def test_a_body_is_not_needed_and_tasks_can_be_chosen(client: TestClient, shop: str) -> None:
    assert submit(client, shop).json()["tasks"] == ["buys_30d", "spends_30d"]
    assert submit(client, shop, {"tasks": ["spends_30d"]}).json()["tasks"] == ["spends_30d"]


def test_the_highest_priority_is_run_first(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    submit(client, shop)
    urgent = submit(client, shop, {"priority": 5}).json()
    assert urgent["priority"] == 5
    assert claim_next(session_factory).job_id == urgent["id"]
    too_urgent = submit(client, shop, {"priority": 1001})
    assert too_urgent.status_code == 422


def test_the_declarations_are_frozen(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    submit(client, shop)
    with transaction(session_factory) as session:
        for row in session.query(TaskRow):
            session.delete(row)
    frozen = [Task.model_validate(task) for task in claim_next(session_factory).arguments["tasks"]]
    assert frozen == [
        Task.model_validate({"name": "buys_30d", **BUYS}),
        Task.model_validate({"name": "spends_30d", **SPENDS}),
    ]


def test_what_cannot_be_trained_is_refused_with_a_way_out(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    with transaction(session_factory) as session:
        add_dataset(session, "empty")
        add_events(session, add_dataset(session, "idle"))
    no_events, no_tasks = submit(client, "empty"), submit(client, "idle")
    assert (no_events.status_code, no_events.json()["code"]) == (409, "no_events")
    assert "POST /v1/datasets/empty/imports" in no_events.json()["detail"]
    assert (no_tasks.status_code, no_tasks.json()["code"]) == (409, "no_tasks")
    assert "/v1/datasets/idle/task-suggestions" in no_tasks.json()["detail"]
    unknown = submit(client, shop, {"tasks": ["buys_30d", "nope"]})
    assert unknown.status_code == 422
    assert [fault["pointer"] for fault in unknown.json()["errors"]] == ["/body/tasks"]
    assert "'nope'" in unknown.json()["detail"]
    assert submit(client, "nowhere").status_code == 404


def test_a_task_that_the_log_no_longer_allows_is_refused(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    with transaction(session_factory) as session:
        row = session.query(TaskRow).filter_by(name="buys_30d").one()
        row.declaration = {**BUYS, "horizon_days": 3000}
    answer = submit(client, shop)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_task")
    assert "buys_30d" in answer.json()["detail"]


def test_twenty_equal_requests_at_once_are_one_job(client: TestClient, shop: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: submit(client, shop, {"seed": 1}, "k"), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(client.get("/v1/training-jobs").json()["items"]) == 1


def test_of_different_requests_at_once_one_gets_the_key(client: TestClient, shop: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        bodies = [{"seed": number % 2} for number in range(20)]
        answers = list(pool.map(lambda body: submit(client, shop, body, "k"), bodies))
    statuses = {
        (body["seed"], answer.status_code) for body, answer in zip(bodies, answers, strict=True)
    }
    assert statuses in ({(0, 202), (1, 422)}, {(0, 422), (1, 202)})
    (job,) = client.get("/v1/training-jobs").json()["items"]
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert {answer["id"] for answer in accepted} == {job["id"]}


def test_an_idempotency_key_belongs_to_one_dataset(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    with transaction(session_factory) as session:
        add_dataset(session, "other")
    assert submit(client, shop, {"seed": 1}, "k").status_code == 202
    assert submit(client, "other", {"seed": 1}, "k").json()["code"] == "idempotency_key_reused"


def test_an_idempotency_key_belongs_to_its_request_for_ever(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    first = submit(client, shop, {"seed": 1}, "k").json()
    reused = submit(client, shop, {"seed": 2}, "k")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    with transaction(session_factory) as session:
        for row in session.query(TaskRow):
            session.delete(row)
    assert submit(client, shop, {"seed": 1}, "k").json()["id"] == first["id"]


def test_the_list_is_paged_and_filtered(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    ids = [submit(client, shop, {"seed": seed}).json()["id"] for seed in range(5)]
    client.post(f"/v1/training-jobs/{ids[0]}/cancel")
    seen: list[str] = []
    query: dict[str, Any] | None = {"limit": 2}
    while query:
        page = client.get("/v1/training-jobs", params=query).json()
        seen += [job["id"] for job in page["items"]]
        query = page["next_cursor"] and {"limit": 2, "cursor": page["next_cursor"]}
    assert seen == sorted(ids, reverse=True)
    cancelled = client.get("/v1/training-jobs", params={"state": "cancelled", "dataset": shop})
    assert [job["id"] for job in cancelled.json()["items"]] == [ids[0]]
    assert client.get("/v1/training-jobs", params={"dataset": "nowhere"}).status_code == 404
    assert client.get("/v1/training-jobs", params={"state": "asleep"}).status_code == 422


def test_cancel(client: TestClient, shop: str, session_factory: Sessions) -> None:
    queued = submit(client, shop).json()["id"]
    answer = client.post(f"/v1/training-jobs/{queued}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    running = submit(client, shop).json()["id"]
    run = claim_next(session_factory)
    answer = client.post(f"/v1/training-jobs/{running}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")
    with transaction(session_factory) as session:
        fail(session, run, Failure("stopped", "stopped"))
    assert client.post(f"/v1/training-jobs/{running}/cancel").json()["state"] == "cancelled"


def test_an_ended_job_cannot_be_cancelled(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    job_id = submit(client, shop).json()["id"]
    run = claim_next(session_factory)
    with transaction(session_factory) as session:
        finish(session, run, {"model_version": 1})
    answer = client.post(f"/v1/training-jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_ended")


def test_a_failed_job_says_what_to_do(
    client: TestClient, shop: str, session_factory: Sessions
) -> None:
    job_id = submit(client, shop).json()["id"]
    run = claim_next(session_factory)
    with transaction(session_factory) as session:
        fail(session, run, Failure("not_enough_data", "send 90 days"))
    answer = client.get(f"/v1/training-jobs/{job_id}")
    assert answer.json()["error"] == {"code": "not_enough_data", "message": "send 90 days"}
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ["", "/events", "/log"])
def test_an_unknown_job_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(f"/v1/training-jobs/nope{path}")
    assert answer.status_code == 404
    assert "'nope'" in answer.json()["detail"]
