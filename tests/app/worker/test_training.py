"""The real training, on a shop that is as small as it may be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import ModelVersion, PredictionSet
from app.settings import Settings
from app.worker.loop import run_worker
from model.prediction import Predictor
from model.simulation import simulate_shop
from tests.app.worker.workplace import eventually

SMALL = {"max_epochs": 1, "max_steps_per_epoch": 2, "max_cutoffs": 4, "width": 8, "bootstrap": 2}
TASKS = {
    "buys_14d": ("user", {"kind": "occurs", "event_type": "purchase"}),
    "sold_14d": ("item", {"kind": "count", "event_type": "purchase", "of": "units"}),
}


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    return simulate_shop(users=60, items=20, days=200).events


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"job_threads": 1})


@pytest.fixture
def worker(settings: Settings) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=run_worker, args=(settings, stopping))
    thread.start()
    yield
    stopping.set()
    thread.join()


def declare(client: TestClient, events: pd.DataFrame) -> None:
    mapping = {"columns": {"user": "user", "item": "item"}}
    made = client.post("/v1/datasets", json={"name": "shop", "events": mapping})
    assert made.status_code == 201, made.text
    send(client, events)
    for name, (entity, target) in TASKS.items():
        task = {"entity": entity, "target": target, "horizon_days": 14}
        assert client.put(f"/v1/datasets/shop/tasks/{name}", json=task).status_code == 201


def send(client: TestClient, events: pd.DataFrame) -> None:
    body = BytesIO()
    events.to_csv(body, index=False)
    url = "/v1/datasets/shop/imports?table=events"
    imported = client.post(url, content=body.getvalue(), headers={"Content-Type": "text/csv"})
    assert imported.status_code == 201, imported.text


def submit(client: TestClient) -> str:
    answer = client.post("/v1/datasets/shop/training-jobs", json={"config": SMALL})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    client.get(f"/v1/training-jobs/{job_id}/events")  # the stream ends with the job
    job: dict[str, Any] = client.get(f"/v1/training-jobs/{job_id}").json()
    return job


def models(settings: Settings) -> list[Path]:
    return list(settings.data_dir.glob("datasets/*/models/*"))


@pytest.mark.slow
def test_a_training_publishes_a_model_and_its_predictions(
    client: TestClient,
    events: pd.DataFrame,
    settings: Settings,
    session_factory: sessionmaker[Session],
    request: pytest.FixtureRequest,
) -> None:
    """Of the data that there was when it was submitted: what came later is for the next one."""
    declare(client, events)
    job_id = submit(client)
    send(client, events.tail(1).assign(user="late", time=events["time"].max()))
    request.getfixturevalue("worker")
    job = ended(client, job_id)
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert job["result"] == {"model_version": 1}
    with transaction(session_factory, write=False) as session:
        version = session.scalars(select(ModelVersion)).one()
        rows = session.scalar(select(func.sum(PredictionSet.rows)))
    assert (version.job_id, version.dataset_revision) == (job["id"], 1)
    assert rows == events["user"].nunique() + events["item"].nunique()
    artifact = settings.data_dir / version.artifact_path
    assert models(settings) == [artifact]
    assert set(Predictor.load(artifact).tasks) == set(TASKS)
    runs = settings.data_dir / "runs"
    eventually(lambda: not list(runs.iterdir()), "the run's own folder is removed")


@pytest.mark.slow
def test_a_training_that_is_cancelled_leaves_nothing(
    client: TestClient, events: pd.DataFrame, settings: Settings, worker: None
) -> None:
    declare(client, events)
    job_id = submit(client)
    url = f"/v1/training-jobs/{job_id}"
    eventually(lambda: client.get(url).json()["progress"], "the training tells how it goes")
    client.post(f"{url}/cancel")
    assert ended(client, job_id)["state"] == "cancelled"
    assert models(settings) == []


@pytest.mark.slow
def test_a_log_that_is_too_small_is_refused_with_the_reason(
    client: TestClient, events: pd.DataFrame, settings: Settings, worker: None
) -> None:
    few = events[events["event_type"] == "purchase"].iloc[[0, 50, 100, 150, 200]]
    declare(client, few)
    job = ended(client, submit(client))
    assert (job["state"], job["error"]["code"]) == ("failed", "not_enough_data")
    assert job["error"]["message"]
    assert models(settings) == []
