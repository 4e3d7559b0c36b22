from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job
from app.domain.datasets import get_dataset
from app.settings import Settings
from tests.app.api.uploads import EVENTS, make_dataset, upload, uploaded


def test_a_new_dataset_is_empty_and_keeps_its_mapping(client: TestClient) -> None:
    events = {
        "columns": {"user": "用户ID", "item": "商品ID", "time": "时间", "event_type": None},
        "default_event_type": "购买",
        "rules": [{"column": "数量", "op": "<", "value": 0.0, "event_type": "退货"}],
    }
    answer = client.post("/v1/datasets", json={"name": "shop", "events": events})
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/datasets/shop"
    report = client.get("/v1/datasets/shop").json()
    assert report == answer.json()
    assert report["mapping"] == {"events": events, "users": {}, "items": {}}
    assert (report["revision"], report["time_zone"]) == (0, "UTC")
    assert report["rows"] == {"events": 0, "users": 0, "items": 0}
    assert report["span_days"] is None


def test_the_profile_counts_each_thing_once(client: TestClient) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    uploaded(client, EVENTS + "u3,i1,2024-03-04 12:00,view,,\n")
    uploaded(client, "user_id,age\nu1,30\nu9,40\n", table="users")
    uploaded(client, "user_id,age\nu1,31\n", table="users")
    uploaded(client, "item_id,color\ni2,red\n", table="items")
    report = client.get("/v1/datasets/shop").json()
    assert report["rows"] == {"events": 5, "users": 2, "items": 1}
    assert (report["users"], report["items"]) == (4, 2)  # u1 u2 u3 u9, i1 i2
    assert report["event_types"] == {"view": 3, "purchase": 2}
    assert report["first_at"] == "2024-01-01T10:00:00Z"
    assert report["last_at"] == "2024-03-04T12:00:00Z"
    assert report["span_days"] == pytest.approx(63 + 2 / 24)
    assert report["revision"] == 5
    assert report["bytes"] > 0


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"name": "My Shop"}, "/body/name", "pattern"),
        ({"name": "shop", "time_zone": "Mars/Base"}, "/body/time_zone", "IANA"),
        ({"name": "shop", "time_zone": "../../etc/passwd"}, "/body/time_zone", "IANA"),
        ({"name": "shop", "events": {"time_format": "%H"}}, "/body/events", "name a day"),
        ({"name": "shop", "events": {"colums": {}}}, "/body/events/colums", "Extra"),
        (
            {
                "name": "shop",
                "events": {"rules": [{"column": "q", "op": "<", "value": "x", "event_type": "r"}]},
            },
            "/body/events/rules/0",
            "takes a number",
        ),
        (
            {"name": "shop", "events": {"columns": {"user": "a\0b"}}},
            "/body/events/columns/user",
            "pattern",
        ),
        (
            {"name": "shop", "events": {"default_event_type": "a\0b"}},
            "/body/events/default_event_type",
            "pattern",
        ),
        ({}, "/body/name", "required"),
    ],
)
def test_an_impossible_dataset_is_refused_with_the_place(
    client: TestClient, body: dict[str, object], pointer: str, words: str
) -> None:
    answer = client.post("/v1/datasets", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"a\\u0000b"'])
def test_a_rule_compares_with_what_can_be_stored(client: TestClient, value: str) -> None:
    rule = f'{{"column": "q", "op": "==", "value": {value}, "event_type": "r"}}'
    body = f'{{"name": "shop", "events": {{"rules": [{rule}]}}}}'
    answer = client.post("/v1/datasets", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/body/events/rules/0/value")
    assert client.get("/v1/datasets").json()["items"] == []


def test_a_name_is_given_once(client: TestClient) -> None:
    make_dataset(client)
    answer = client.post("/v1/datasets", json={"name": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_exists")


def test_an_unknown_dataset_names_the_known_ones(client: TestClient) -> None:
    assert "there are none yet" in client.get("/v1/datasets/shop").json()["detail"]
    make_dataset(client, "a-shop")
    answer = client.get("/v1/datasets/shop")
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert answer.json()["detail"] == "no dataset 'shop'; there are a-shop"


def test_lists_come_in_pages(client: TestClient) -> None:
    names = [f"shop-{n}" for n in range(5)]
    for name in reversed(names):
        make_dataset(client, name)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/datasets", params=query).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (names, None)


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24", "WzFd", "W10", "eyJhIjoxfQ", "é"])
def test_a_wrong_cursor_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get("/v1/datasets", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/cursor"


def test_deleting_removes_rows_and_files(client: TestClient, settings: Settings) -> None:
    make_dataset(client)
    uploaded(client, EVENTS + "u1,i1,never,view,,\n", on_error="skip")
    assert list(files(settings.data_dir))
    assert client.delete("/v1/datasets/shop").status_code == 204
    assert client.get("/v1/datasets/shop").status_code == 404
    assert list(files(settings.data_dir)) == []
    make_dataset(client)
    assert client.get("/v1/datasets/shop/imports").json()["items"] == []


def test_a_dataset_that_a_job_works_on_is_not_deleted(
    client: TestClient, session_factory: sessionmaker[Session]
) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    with transaction(session_factory) as session:
        dataset = get_dataset(session, "shop")
        job = Job(
            id="j1",
            kind="training",
            dataset_id=dataset.id,
            arguments={},
            fingerprint="",
            state="running",
        )
        session.add(job)
    answer = client.delete("/v1/datasets/shop")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_in_use")
    assert "j1" in answer.json()["detail"]
    with transaction(session_factory) as session:
        session.get_one(Job, "j1").state = "succeeded"
    assert client.delete("/v1/datasets/shop").status_code == 204


def test_the_same_request_makes_one_dataset(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/v1/datasets", json={"name": "shop"}, headers=headers)
    again = client.post("/v1/datasets", json={"name": "shop"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = client.post("/v1/datasets", json={"name": "other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    client.delete("/v1/datasets/shop")
    anew = client.post("/v1/datasets", json={"name": "shop"}, headers=headers)
    assert anew.status_code == 201
    assert "Idempotent-Replayed" not in anew.headers


def test_an_upload_to_no_dataset(client: TestClient) -> None:
    assert upload(client, EVENTS).status_code == 404


def files(data_dir: Path) -> list[Path]:
    return [path for path in data_dir.rglob("*") if path.is_file() and "sqlite" not in path.name]
