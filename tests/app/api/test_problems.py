"""Every answer that is not what was asked for has one form, and the docs page knows it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model.errors import InvalidTask, UnknownEntity


@pytest.fixture
def client(tmp_path: Any) -> TestClient:
    """A service whose database is never asked."""
    app = create_app(Settings(_env_file=None, data_dir=tmp_path, embedded_worker=False))
    _fail_on(app, "/boom", ValueError("secret"))
    _fail_on(app, "/entity", UnknownEntity("no user 'u1'"))
    _fail_on(app, "/task", InvalidTask("t", "no"))
    return TestClient(app, raise_server_exceptions=False)


def _fail_on(app: FastAPI, path: str, error: Exception) -> None:
    def route() -> None:
        raise error

    app.get(path)(route)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("GET", "/boom", 500, "internal_error"),
        ("GET", "/entity", 404, "unknown_entity"),
        ("GET", "/task", 422, "invalid_task"),
        ("GET", "/v1/datasets?limit=0", 422, "invalid"),
    ],
)
def test_all_errors_are_problems(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:ssmtl:problem:{code}"
    assert body["instance"] == path.partition("?")[0]
    assert "secret" not in answer.text


def test_broken_json_is_a_problem_too(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/datasets", content=b'{"name": ', headers=headers)
    body = answer.json()
    assert (answer.status_code, body["errors"][0]["code"]) == (422, "json_invalid")
    assert body["errors"][0]["pointer"] == "/body"
    assert "not JSON" in body["detail"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_json_that_is_not_called_json_is_told_what_is_missing(
    client: TestClient, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    answer = client.post("/v1/datasets", content=b'{"name": "shop"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


def test_a_busy_database_is_no_failure(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.engine.BUSY_TIMEOUT_MS", 1)
    with closing(sqlite3.connect(tmp_path / "ssmtl.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = client.post("/v1/datasets", json={"name": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_the_method_that_is_allowed_is_named(client: TestClient) -> None:
    assert client.post("/livez").headers["Allow"] == "GET"


def operations(client: TestClient) -> dict[str, dict[str, Any]]:
    paths = client.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_operation_is_documented(client: TestClient) -> None:
    found = operations(client)
    ids = [operation["operationId"] for name, operation in found.items() if _is_ours(name)]
    assert len(set(ids)) == len(ids) > 10
    for name, operation in found.items():
        if not _is_ours(name):
            continue
        assert operation["operationId"].isalnum(), name
        assert operation["tags"], name
        assert operation["summary"], name
        assert operation["description"], name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert "422" not in operation["responses"], name


def test_the_docs_page_asks_nobody_else(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    script = page.text.split('src="')[1].split('"')[0]
    assert client.get(script).status_code == 200


def _is_ours(name: str) -> bool:
    return " /v1/" in name or name.endswith("z")
