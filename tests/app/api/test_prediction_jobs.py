"""Prediction jobs through HTTP, run by a real worker."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pandas as pd
import pytest

from app.db.engine import transaction
from app.db.tables import Job, PredictionSet
from app.domain.prediction_sets import withdraw
from app.worker.loop import run_worker
from model.events import to_datetime
from tests.app.trained_shop import NAME, TASKS, Service

URL = f"/v1/datasets/{NAME}/prediction-jobs"
USER, OTHER_USER, ITEM = "u00001", "u00002", "i00001"


@pytest.fixture(scope="module")
def worker(service: Service) -> Iterator[None]:
    stopping = threading.Event()
    settings = service.settings.model_copy(update={"poll_s": 0.05})
    thread = threading.Thread(target=run_worker, args=(settings, stopping))
    thread.start()
    yield
    stopping.set()
    thread.join()


def submit(service: Service, body: Any = None, status: int = 202, **headers: str) -> Any:
    answer = service.client.post(URL, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 202:
        assert answer.headers["Location"] == f"{URL}/{answer.json()['id']}"
        assert int(answer.headers["Retry-After"]) >= 1
    return answer.json()


def ended(service: Service, body: Any = None) -> dict[str, Any]:
    job_id = submit(service, body)["id"]
    service.client.get(f"{URL}/{job_id}/events")  # the stream ends with the job
    job: dict[str, Any] = service.get(f"/prediction-jobs/{job_id}")
    return job


def exported(service: Service, job_id: str, **query: Any) -> pd.DataFrame:
    answer = service.client.get(f"{URL}/{job_id}/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    return pd.read_parquet(BytesIO(answer.content))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"version": "Champion"}, "/body/version"),
        ({"tasks": []}, "/body/tasks"),
        ({"users": []}, "/body/users"),
        ({"user": [USER]}, "/body/user"),
        ({"users": ["a\x00"]}, "/body/users/0"),
        ({"active_within_days": 0}, "/body/active_within_days"),
        ({"as_of": "2025-01-01T00:00:00"}, "/body/as_of"),
        ({"as_of": "2000-01-01T00:00:00Z"}, "/body/as_of"),
        ({"as_of": "2200-01-01T00:00:00Z"}, "/body/as_of"),
        ({"users": [USER], "tasks": ["buys_14d", "sold_14d"]}, "/body/tasks/1"),
        ({"items": [ITEM], "tasks": ["meets_14d"]}, "/body/tasks/0"),
        ({"users": [USER], "items": [ITEM], "tasks": ["sold_14d"]}, "/body/users"),
        ({"users": [USER], "items": [ITEM], "tasks": ["buys_14d"]}, "/body/items"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(service: Service, body: Any, pointer: str) -> None:
    problem = submit(service, body, 422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_what_is_unknown_is_not_found_with_a_way_out(service: Service) -> None:
    assert submit(service, {"tasks": ["nope"]}, 404)["code"] == "task_not_found"
    assert submit(service, {"version": "7"}, 404)["code"] == "model_version_not_found"
    assert submit(service, {"version": "shadow"}, 404)["code"] == "alias_not_found"
    for path in ("/prediction-jobs/nope", "/prediction-jobs/nope/export"):
        problem = service.refused(path, 404)
        assert problem["code"] == "prediction_job_not_found"
        assert URL in problem["detail"]
    assert service.client.post(f"{URL}/nope/cancel").status_code == 404
    assert service.client.get(f"{URL}/nope/events").status_code == 404
    nowhere = service.client.post("/v1/datasets/nowhere/prediction-jobs")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "dataset_not_found")


def test_an_untrained_dataset_says_what_to_do(service: Service) -> None:
    assert service.client.post("/v1/datasets", json={"name": "empty"}).status_code == 201
    answer = service.client.post("/v1/datasets/empty/prediction-jobs")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_trained")
    assert service.client.delete("/v1/datasets/empty").status_code == 204


def test_a_queued_job_is_cancelled_and_has_nothing_to_export(service: Service) -> None:
    job = submit(service)
    problem = service.refused(f"/prediction-jobs/{job['id']}/export", 409)
    assert "queued" in problem["detail"]
    cancelled = service.client.post(f"{URL}/{job['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    problem = service.refused(f"/prediction-jobs/{job['id']}/export", 409)
    assert problem["code"] == "prediction_job_not_succeeded"


def test_a_repeated_request_gives_the_same_job(service: Service) -> None:
    keyed = {"Idempotency-Key": "nightly"}
    first = submit(service, {"tasks": ["buys_14d"]}, **keyed)
    assert submit(service, {"tasks": ["buys_14d"]}, **keyed)["id"] == first["id"]
    refused = submit(service, {"tasks": ["spend_14d"]}, 422, **keyed)
    assert refused["code"] == "idempotency_key_reused"
    service.client.post(f"{URL}/{first['id']}/cancel")
    listed = service.get("/prediction-jobs", state="cancelled", limit=1)
    assert listed["items"][0]["id"] == first["id"]
    assert service.get("/prediction-jobs", limit=1, cursor=listed["next_cursor"])["items"]


@pytest.fixture(scope="module")
def everybody(service: Service, worker: None) -> dict[str, Any]:
    """A job for everybody, as of the dataset's newest event."""
    return ended(service)


def test_everybody_is_scored_as_of_the_datasets_clock(
    service: Service, everybody: dict[str, Any]
) -> None:
    predictor, log = service.shop.predictor, service.shop.log
    assert (everybody["state"], everybody["error"]) == ("succeeded", None)
    now = max(to_datetime(log.last_us), predictor.cutoff_at)
    assert pd.Timestamp(everybody["as_of"]) == pd.Timestamp(now)
    stored = service.get(f"/prediction-sets/{everybody['result']['prediction_set']}")
    assert stored["job"] == everybody["id"]
    assert set(stored["tasks"]) == {task.name for task in TASKS}
    assert sum(stored["tasks"].values()) == stored["rows"] == everybody["result"]["rows"]
    for task, size in (("buys_14d", len(log.users)), ("sold_14d", len(log.items))):
        assert stored["tasks"][task] == size
    frame = exported(service, everybody["id"], task="spend_14d")
    direct = predictor.predict(log, ["spend_14d"], list(frame["user"]), now)["spend_14d"]
    assert list(frame["point"]) == pytest.approx(direct.point, abs=1e-6)
    assert frame["point"].is_monotonic_decreasing
    assert list(frame["quantile_0.9"]) == pytest.approx(
        direct.distribution.quantile(0.9), rel=1e-4, abs=1e-6
    )


def test_rankings_read_the_new_answers(service: Service, everybody: dict[str, Any]) -> None:
    page = service.get("/tasks/buys_14d/predictions", limit=3)
    assert {answer["cutoff_at"] for answer in page["items"]} == {everybody["as_of"]}
    newest = service.get("/prediction-sets", limit=1)["items"][0]
    assert (newest["id"], newest["ranked"]) == (everybody["result"]["prediction_set"], True)


def test_all_formats_say_the_same(service: Service, everybody: dict[str, Any]) -> None:
    url = f"{URL}/{everybody['id']}/export"
    frame = exported(service, everybody["id"])
    assert len(frame) == everybody["result"]["rows"]
    lines = service.client.get(url, headers={"Accept": "application/x-ndjson"})
    assert lines.headers["content-type"] == "application/jsonl"
    documents = [json.loads(line) for line in lines.text.splitlines()]
    table = pd.read_csv(BytesIO(service.client.get(url, params={"format": "csv"}).content))
    ids = ["task", "user", "item"]
    keys = [tuple(document[name] for name in ids) for document in documents]
    for columns in (frame, table):
        rows = columns[ids].astype(object).where(columns[ids].notna(), None)
        assert list(rows.itertuples(index=False, name=None)) == keys
    for row, cells, document in zip(
        frame.to_dict("records"), table.to_dict("records"), documents, strict=True
    ):
        assert row["point"] == document["point"] == pytest.approx(cells["point"])
        assert row["cold_start"] == document["cold_start"] == cells["cold_start"]
        assert pd.Timestamp(document["cutoff_at"]) == row["cutoff_at"]
        assert pd.Timestamp(cells["cutoff_at"]) == row["cutoff_at"]
        for name in ("probability", "expected", "expected_days", "probability_any"):
            # How many rows are worked out together moves the last bit.
            expected = pytest.approx(document.get(name, math.nan), rel=1e-12, nan_ok=True)
            assert row[name] == expected
        for level, value in document.get("quantiles", {}).items():
            assert value is None or row[f"quantile_{level}"] == pytest.approx(value)
            assert (value is None) == pd.isna(row[f"quantile_{level}"])
        for name in ("probabilities", "survival"):
            if name in document:
                assert dict(row[name]) == document[name] == json.loads(cells[name])
        if "best" in document:
            assert row["best"] == str(document["best"])


def test_a_line_is_what_the_prediction_route_tells(
    service: Service, everybody: dict[str, Any]
) -> None:
    ranked = service.get("/tasks/until_14d/predictions", limit=1000)["items"]
    url = f"{URL}/{everybody['id']}/export"
    lines = service.client.get(url, params={"format": "jsonl", "task": "until_14d"})
    assert [json.loads(line) for line in lines.text.splitlines()] == ranked


def test_an_export_that_is_not_there_is_refused(
    service: Service, everybody: dict[str, Any]
) -> None:
    path = f"/prediction-jobs/{everybody['id']}/export"
    assert service.refused(path, 404, task="nope")["code"] == "task_not_found"
    assert service.refused(path, 422, format="xlsx")["errors"]
    html = service.client.get(f"/v1/datasets/{NAME}{path}", headers={"Accept": "text/html"})
    assert (html.status_code, html.json()["code"]) == (415, "unsupported_format")
    assert "?format=" in html.json()["detail"]
    assert service.refused("/prediction-sets/999999", 404)["code"] == "prediction_set_not_found"


def test_listed_entities_are_for_download_alone(
    service: Service, everybody: dict[str, Any]
) -> None:
    job = ended(service, {"users": [USER, OTHER_USER], "tasks": ["buys_14d", "meets_14d"]})
    assert job["state"] == "succeeded"
    assert (job["users"], job["items"]) == (2, None)
    frame = exported(service, job["id"])
    assert set(frame["user"]) == {USER, OTHER_USER}
    assert frame.groupby("task", observed=True).size()["buys_14d"] == 2
    assert not service.get(f"/prediction-sets/{job['result']['prediction_set']}")["ranked"]
    page = service.get("/tasks/buys_14d/predictions", limit=1000)
    assert len(page["items"]) == len(service.shop.log.users)


def test_an_unknown_user_fails_the_job_with_its_name(service: Service, worker: None) -> None:
    job = ended(service, {"users": [USER, "nobody"]})
    assert (job["state"], job["error"]["code"]) == ("failed", "unknown_entity")
    assert "'nobody'" in job["error"]["message"]


def test_only_the_active_are_scored(service: Service, everybody: dict[str, Any]) -> None:
    job = ended(service, {"active_within_days": 5, "tasks": ["buys_14d"]})
    assert 0 < job["result"]["rows"] < len(service.shop.log.users)
    assert not exported(service, job["id"])["cold_start"].any()


def test_what_was_removed_is_not_found(service: Service, worker: None) -> None:
    job = ended(service, {"items": [ITEM]})
    with transaction(service.sessions) as session:
        withdraw(session.get_one(PredictionSet, job["result"]["prediction_set"]))
    problem = service.refused(f"/prediction-jobs/{job['id']}/export", 404)
    assert "submit another one" in problem["detail"]


def test_a_job_tells_how_it_went(service: Service, everybody: dict[str, Any]) -> None:
    told = service.client.get(f"{URL}/{everybody['id']}/events").text
    for stage in ("load", "score", "store", "done"):
        assert f'"stage":"{stage}"' in told.replace(" ", "") or stage == "done"
    assert everybody["progress"]["fraction"] == 1.0
    with transaction(service.sessions, write=False) as session:
        assert session.get_one(Job, everybody["id"]).checkpoint is None
    left = service.settings.data_dir.glob(f"datasets/*/checkpoints/{everybody['id']}/*/*")
    assert list(left) == []
