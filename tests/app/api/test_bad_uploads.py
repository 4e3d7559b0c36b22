"""Whatever is uploaded, the answer says what is wrong, and nothing remains."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.app.api.uploads import CSV, EVENTS, JSONL, make_dataset, upload

PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


def nothing_remains(client: TestClient, data_dir: Path) -> bool:
    listed = client.get("/v1/datasets/shop/imports").json()["items"]
    return listed == [] and not any(path.is_file() for path in data_dir.rglob("*"))


def status_of(app: FastAPI, messages: Iterator[dict[str, object]]) -> object:
    """The status of the answer to an upload that arrives in these messages."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/datasets/shop/imports",
        "raw_path": b"/v1/datasets/shop/imports",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"text/csv")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def request() -> None:
        await app(scope, receive, send)  # type: ignore[arg-type]

    anyio.run(request)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("content", "headers", "code", "words"),
    [
        (b"", CSV, "invalid_upload", "empty"),
        (b"", JSONL, "invalid_upload", "empty"),
        (b"", PARQUET, "invalid_upload", "empty"),
        (b"user_id,item_id,time,event_type\n", CSV, "no_rows", "no rows"),
        (b"user_id,item_id,time,event_type", CSV, "no_rows", "no rows"),
        (b"user,thing,when\nu1,i1,2024-01-01\n", CSV, "missing_column", "'user', 'thing', 'when'"),
        (b"user_id;item_id;time\nu1;i1;2024\n", CSV, "missing_column", "default_event_type"),
        (b"user_id,item_id,when\nu1,i1,2024-01-01\n", CSV, "missing_column", "'when' holds times"),
        ("user_id,备注\nu1,茶\n".encode("gb18030"), CSV, "invalid_upload", "?encoding=gb18030"),
        (b"user_id,item_id,time\nu1,i1,2024-01-01\n", CSV, "missing_column", "default_event_type"),
        (b'{"user_id": "u1"}\n', JSONL, "missing_column", "'user_id'"),
        (b"user_id,item_id\nu1,i1\n", JSONL, "missing_column", "the file has none"),
        (bytes(range(256)) * 50, CSV, "invalid_upload", "zero byte"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 99, CSV, "invalid_upload", "UTF-8"),
        (b"PAR1 but not really", PARQUET, "invalid_upload", "no Parquet file"),
        (EVENTS.encode(), PARQUET, "invalid_upload", "no Parquet file"),
        (gzip.compress(EVENTS.encode())[:-9], CSV, "invalid_upload", "cut off"),
        (EVENTS.encode(), {**CSV, "Content-Encoding": "gzip"}, "invalid_upload", "not compressed"),
        (EVENTS.encode(), {**CSV, "Content-Encoding": "br"}, "unsupported_encoding", "gzip"),
        (EVENTS.encode(), {"Content-Type": "text/html"}, "unsupported_format", "?format="),
        (EVENTS.encode(), {}, "unsupported_format", "?format="),
        (b"", {"Content-Type": "multipart/form-data"}, "invalid_upload", "boundary"),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, "invalid_upload", "multipart"),
    ],
)
def test_what_cannot_be_read_is_explained(
    client: TestClient,
    settings: Settings,
    content: bytes,
    headers: dict[str, str],
    code: str,
    words: str,
) -> None:
    make_dataset(client)
    answer = upload(client, content, headers=headers)
    assert answer.status_code == (415 if code.startswith("unsupported") else 422), answer.text
    assert answer.json()["code"] == code
    assert words in answer.json()["detail"]
    assert nothing_remains(client, settings.data_dir)


def test_a_mapped_column_that_is_not_there(client: TestClient) -> None:
    make_dataset(client, events={"columns": {"user": "用户ID", "price": "单价"}})
    answer = upload(client, EVENTS)
    assert "no column '用户ID' for the user; the file has 'user_id'" in answer.json()["detail"]


def test_an_upload_that_is_too_large(settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_bytes": 1000})
    with TestClient(create_app(small)) as client:
        make_dataset(client)
        for content in (b"x" * 1001, gzip.compress(b"x" * 100_000)):
            answer = upload(client, content)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

        answer = client.post("/v1/datasets/shop/imports", files={"file": ("a.csv", b"x" * 1200)})
        assert answer.status_code == 413
        assert nothing_remains(client, settings.data_dir)


def test_an_upload_without_length_is_stopped_when_it_is_too_large(settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_bytes": 1000})
    app = create_app(small)
    read: list[int] = []

    def endless() -> Iterator[dict[str, object]]:
        while True:
            read.append(1)
            yield {"type": "http.request", "body": b"x" * 100, "more_body": True}

    with TestClient(app) as client:
        make_dataset(client)
        assert status_of(app, endless()) == 413
        assert len(read) == 11
        assert nothing_remains(client, settings.data_dir)


def test_an_upload_that_is_cut_off_leaves_nothing(
    app: FastAPI, client: TestClient, settings: Settings
) -> None:
    make_dataset(client)
    messages: list[dict[str, object]] = [
        {"type": "http.request", "body": EVENTS.encode(), "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert status_of(app, iter(messages)) == 400
    assert nothing_remains(client, settings.data_dir)


def test_a_multipart_form_that_is_cut_off(client: TestClient, settings: Settings) -> None:
    make_dataset(client)
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = upload(client, part + EVENTS.encode(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_upload")
    assert "cut off" in answer.json()["detail"]
    no_file = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n--b--\r\n'
    assert "no file part" in upload(client, no_file, headers=headers).json()["detail"]
    assert nothing_remains(client, settings.data_dir)


def test_a_failure_of_ours_tells_nothing_and_leaves_nothing(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    make_dataset(client)
    monkeypatch.setattr("app.domain.imports.part_of", fail)
    answer = upload(client, EVENTS)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
    assert nothing_remains(client, settings.data_dir)


def test_ids_that_the_database_could_not_hold(client: TestClient) -> None:
    make_dataset(client)
    lines = (
        '{"user_id": "a\\u0000b", "time": "2024-01-01", "event_type": "view"}\n'
        f'{{"user_id": "{"x" * 201}", "time": "2024-01-01", "event_type": "view"}}\n'
    )
    errors = upload(client, lines, headers=JSONL).json()["errors"]
    assert [error["code"] for error in errors] == ["not_text", "too_long"]
    assert len(errors[1]["detail"]) < 200


def test_five_rows_are_enough_for_an_import(client: TestClient) -> None:
    make_dataset(client)
    assert upload(client, EVENTS + "u3,i3,2024-01-09,view,,\n").status_code == 201
