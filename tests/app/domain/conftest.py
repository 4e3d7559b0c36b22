"""A dataset whose versions are published without training."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion
from app.domain.model_versions import publish

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
    return publish(
        session,
        dataset_id=dataset.id,
        job_id=None,
        artifact_path="models/none",
        dataset_revision=dataset.revision,
        estimator_report={"tasks": {}},
        task_graph={"nodes": [], "edges": []},
        tasks=[],
        cutoff_at=CUTOFF_AT,
        predictions=rows,
    )


def row_of(entity_id: str, point: float, task: str = "t", item_id: str = "") -> dict[str, Any]:
    return {
        "task": task,
        "entity_id": entity_id,
        "item_id": item_id,
        "point": point,
        "cold_start": False,
        "distribution": {"kind": "occurs", "probability": point},
    }
