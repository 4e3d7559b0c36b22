from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.jobs.claim import claim
from app.jobs.journal import write_log, write_progress
from tests.app.declared_shop import declare_shop

Sessions = sessionmaker[Session]

AT = datetime(2026, 3, 1, 12, 30, 5, 250_000, tzinfo=UTC)
LINES: list[dict[str, Any]] = [
    {"level": "debug", "message": "looking", "fields": {}},
    {"level": "info", "message": "读取事件", "fields": {"events": 1000, "shop": "a b"}},
    {"level": "warning", "message": "few", "fields": {"rows": [1, 2]}},
    {"level": "error", "message": "failed", "fields": {"exception": "Traceback\n  KeyError\n"}},
    {"level": "critical", "message": "worse", "fields": {}},
]


@pytest.fixture
def url(client: TestClient, session_factory: Sessions) -> str:
    """The log of a job that has said these lines, with progress between them."""
    with transaction(session_factory) as session:
        declare_shop(session)
    job_id = client.post("/v1/datasets/shop/training-jobs").json()["id"]
    with transaction(session_factory) as session:
        run = claim(session, worker="w", kinds=["training"], lease_s=30)
        assert run is not None
        for line in LINES:
            write_log(session, run, [(AT, line)])
            write_progress(session, run, {"stage": "fit", "fraction": 0.5})
    return f"/v1/training-jobs/{job_id}/log"


def messages(client: TestClient, url: str, **query: Any) -> list[str]:
    return [line["message"] for line in client.get(url, params=query).json()["items"]]


def test_lines_are_as_they_were_said(client: TestClient, url: str) -> None:
    page = client.get(url).json()
    assert page["next_cursor"] is None
    assert [{name: line[name] for name in LINES[0]} for line in page["items"]] == LINES
    assert {datetime.fromisoformat(line["at"]) for line in page["items"]} == {AT}


def test_pages_follow_each_other(client: TestClient, url: str) -> None:
    query: dict[str, Any] | None = {"limit": 2}
    seen: list[str] = []
    while query:
        page = client.get(url, params=query).json()
        seen += [line["message"] for line in page["items"]]
        query = page["next_cursor"] and {"limit": 2, "cursor": page["next_cursor"]}
    assert seen == [line["message"] for line in LINES]


@pytest.mark.parametrize(("level", "count"), [("debug", 5), ("info", 4), ("error", 2)])
def test_only_what_is_serious_enough(client: TestClient, url: str, level: str, count: int) -> None:
    assert messages(client, url, level=level) == [line["message"] for line in LINES[-count:]]
    first = client.get(url, params={"level": level, "limit": 1}).json()
    rest = messages(client, url, level=level, cursor=first["next_cursor"])
    assert rest == [line["message"] for line in LINES[1 - count :]]


def test_a_level_that_is_none_is_refused(client: TestClient, url: str) -> None:
    answer = client.get(url, params={"level": "loud"})
    assert answer.status_code == 422
    assert "'warning'" in answer.json()["detail"]


def test_plain_text(client: TestClient, url: str) -> None:
    answer = client.get(url, headers={"Accept": "text/plain"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "2026-03-01T12:30:05.250Z DEBUG   looking",
        "2026-03-01T12:30:05.250Z INFO    读取事件 events=1000 shop=a b",
        "2026-03-01T12:30:05.250Z WARNING few rows=[1, 2]",
        "2026-03-01T12:30:05.250Z ERROR   failed exception=",
        "Traceback",
        "  KeyError",
        "2026-03-01T12:30:05.250Z CRITICAL worse",
    ]


def test_plain_text_says_where_its_next_page_is(client: TestClient, url: str) -> None:
    accept = {"Accept": "text/plain;q=0.9, */*;q=0.1"}
    first = client.get(url, params={"limit": 3, "level": "info"}, headers=accept)
    assert first.links["next"]["url"].startswith(url)
    rest = client.get(first.links["next"]["url"], headers=accept)
    assert "next" not in rest.links
    assert (first.text + rest.text).count("2026-03-01") == 4


@pytest.mark.parametrize("accept", ["*/*", "application/json, text/plain", "image/png"])
def test_json_is_what_others_get(client: TestClient, url: str, accept: str) -> None:
    assert client.get(url, headers={"Accept": accept}).headers["content-type"] == "application/json"
