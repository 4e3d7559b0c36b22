"""A dataset whose versions are published without training."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import logit
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion, PredictionSet
from app.domain.model_versions import publish
from app.domain.prediction_chunks import CHUNK_ROWS, AnswerRows, encode
from app.domain.prediction_sets import SetTask, add_chunks, add_task, begin_set
from model.distributions import Scale
from model.tasks import Occurs, Task

CUTOFF_AT = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture
def dataset(session_factory: sessionmaker[Session]) -> Dataset:
    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={}, revision=3)
        session.add(dataset)
    return dataset


def publish_one(
    session: Session, dataset: Dataset, rows: Iterable[dict[str, Any]] = ()
) -> ModelVersion:
    rows = list(rows)
    return publish(
        session,
        dataset_id=dataset.id,
        job_id=None,
        artifact_path="models/none",
        dataset_revision=dataset.revision,
        estimator_report={"tasks": {}},
        task_graph={"nodes": [], "edges": []},
        tasks=[task_of(name).model_dump(mode="json") for name in {row["task"] for row in rows}],
        cutoff_at=CUTOFF_AT,
        prediction_set=store_rows(session, dataset, rows) if rows else None,
    )


def store_rows(
    session: Session,
    dataset: Dataset,
    rows: Iterable[dict[str, Any]],
    *,
    job_id: str | None = None,
    ranked: bool = True,
) -> PredictionSet:
    """A set of these rows that is not published; they are in no order."""
    begun = begin_set(
        session, dataset_id=dataset.id, job_id=job_id, cutoff_at=CUTOFF_AT, ranked=ranked
    )
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_task.setdefault(row["task"], []).append(row)
    for name, own in by_task.items():
        own.sort(key=lambda row: (row["point"], row["entity_id"], row["item_id"]))
        pairs = any(row["item_id"] for row in own)
        whole = AnswerRows(
            entity_ids=pa.array([row["entity_id"] for row in own], pa.string()),
            item_ids=pa.array([row["item_id"] for row in own], pa.string()) if pairs else None,
            point=np.array([row["point"] for row in own]),
            cold_start=np.array([row["cold_start"] for row in own]),
            parameters=logit([[row["point"]] for row in own]).astype(np.float32),
        )
        starts = range(0, len(own), CHUNK_ROWS)
        chunks = [encode(whole.slice(start, start + CHUNK_ROWS)) for start in starts]
        add_chunks(session, begun, [(name, *chunk) for chunk in enumerate(chunks)])
        add_task(session, begun, SetTask(begun.id, task_of(name), len(own), Scale(), ()))
    return begun


def task_of(name: str) -> Task:
    return Task(name=name, entity="user", target=Occurs(event_type="purchase"), horizon_days=7)


def row_of(entity_id: str, point: float, task: str = "t", item_id: str = "") -> dict[str, Any]:
    return {
        "task": task,
        "entity_id": entity_id,
        "item_id": item_id,
        "point": point,
        "cold_start": False,
    }
