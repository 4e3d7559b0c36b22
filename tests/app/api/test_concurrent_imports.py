"""Two imports at once: both land, and no event is stored twice."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api import importing
from app.settings import Settings
from tests.app.api.uploads import CSV, EVENTS, counts, make_dataset, upload

TIMEOUT_S = 60
OTHER = "u7,i7,2024-02-01,view,,\n"


@pytest.fixture
def finishes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes two imports meet after they have looked for duplicates; counts how often they look."""
    barrier = threading.Barrier(2)
    finish, tries, met = importing.finish, list[int](), threading.local()

    def meet(*arguments: Any) -> object:
        finished = finish(*arguments)
        tries.append(1)
        if not getattr(met, "already", False):
            met.already = True
            barrier.wait(TIMEOUT_S)
        return finished

    monkeypatch.setattr(importing, "finish", meet)
    return tries


def both(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(2) as pool:
        return [future.result(TIMEOUT_S) for future in [pool.submit(call) for call in calls]]


def parts(data_dir: Path) -> list[Path]:
    return list(data_dir.rglob("*.parquet"))


def test_overlapping_events_are_stored_once(
    client: TestClient, settings: Settings, finishes: list[int]
) -> None:
    make_dataset(client)
    answers = both(lambda: upload(client, EVENTS), lambda: upload(client, EVENTS + OTHER))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(finishes) == 3  # the later one looked again
    reports = sorted((answer.json() for answer in answers), key=lambda r: r["dataset_revision"])
    assert [report["dataset_revision"] for report in reports] == [1, 2]
    assert sum(counts(report)[1] for report in reports) == 5
    assert sum(counts(report)[2] for report in reports) == 4
    profile = client.get("/v1/datasets/shop").json()
    assert (profile["rows"]["events"], profile["users"], profile["items"]) == (5, 3, 3)
    assert len(parts(settings.data_dir)) == sum(1 for report in reports if counts(report)[1])


def test_the_same_request_twice_at_once_imports_once(
    client: TestClient, settings: Settings, finishes: list[int]
) -> None:
    make_dataset(client)
    headers = {**CSV, "Idempotency-Key": "k1"}
    first, second = both(
        lambda: upload(client, EVENTS, headers=headers),
        lambda: upload(client, EVENTS, headers=headers),
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert client.get("/v1/datasets/shop").json()["revision"] == 1
    assert len(parts(settings.data_dir)) == 1


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_dataset_that_is_deleted_during_an_import(
    app: FastAPI,
    client: TestClient,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    made_anew: bool,
) -> None:
    make_dataset(client)
    finish = importing.finish

    def delete_first(*arguments: Any) -> object:
        finished = finish(*arguments)
        # Another client: this one waits for the answer to its upload.
        with TestClient(app) as other:
            assert other.delete("/v1/datasets/shop").status_code == 204
            if made_anew:
                make_dataset(other)
        return finished

    monkeypatch.setattr(importing, "finish", delete_first)
    answer = upload(client, EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert parts(settings.data_dir) == []
    if made_anew:
        assert client.get("/v1/datasets/shop").json()["rows"]["events"] == 0
