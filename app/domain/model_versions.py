"""Model versions: published by a training job, numbered per dataset, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.tables import Alias, Dataset, ModelVersion, PredictionSet
from app.domain.datasets import note_change
from app.domain.prediction_sets import publish_set
from app.errors import NotFound
from model.tasks import Task

CHAMPION = "champion"
"""The alias that answers unless a request asks for another version."""

_LARGEST_NUMBER = 2**31 - 1  # that the column holds


def publish(
    session: Session,
    *,
    dataset_id: int,
    job_id: str | None,
    artifact_path: str,
    dataset_revision: int,
    estimator_report: dict[str, Any],
    task_graph: dict[str, Any],
    tasks: list[dict[str, Any]],
    cutoff_at: datetime,
    prediction_set: PredictionSet | None = None,
) -> ModelVersion:
    """Store a trained model with its predictions as the dataset's next version.

    The first version becomes the champion; later ones wait until the alias is moved.

    Args:
        session: its transaction shows the version and all predictions at once.
        dataset_id: whose model it is.
        job_id: which training made it.
        artifact_path: folder of the model's files, in the data directory.
        dataset_revision: of the data that it has learned from.
        estimator_report: `model.evaluation.Report` as JSON.
        task_graph: `model.evaluation.TaskGraph` as JSON.
        tasks: declarations with names.
        cutoff_at: up to when it knows the log.
        prediction_set: what it says about everybody, written already.
    """
    # This locks, so that two trainings that end at once do not take the same number.
    note_change(session, dataset_id)
    version = ModelVersion(
        dataset_id=dataset_id,
        number=_last_number(session, dataset_id) + 1,
        job_id=job_id,
        artifact_path=artifact_path,
        dataset_revision=dataset_revision,
        cutoff_at=cutoff_at,
        tasks=tasks,
        report=estimator_report,
        task_graph=task_graph,
    )
    session.add(version)
    session.flush()
    if prediction_set is not None:
        publish_set(session, prediction_set, version)
    if session.get(Alias, (dataset_id, CHAMPION)) is None:
        session.add(Alias(dataset_id=dataset_id, name=CHAMPION, model_version_id=version.id))
        session.flush()
    return version


def get_version(session: Session, dataset: Dataset, number: int) -> ModelVersion:
    """The version of this number.

    Raises:
        NotFound: the dataset has none; the message says what there is.
    """
    statement = select(ModelVersion).where(
        ModelVersion.dataset_id == dataset.id, ModelVersion.number == number
    )
    version = session.scalar(statement) if number <= _LARGEST_NUMBER else None
    if version is None:
        last = _last_number(session, dataset.id)
        there_are = f"the newest is {last}" if last else "none is trained yet"
        raise NotFound(
            f"no model version {number} of dataset {dataset.name!r}; {there_are}",
            code="model_version_not_found",
        )
    return version


def list_versions(
    session: Session, dataset: Dataset, before: int | None, limit: int
) -> list[ModelVersion]:
    """Versions below the number `before`, the newest first, one more than `limit` if there are."""
    statement = select(ModelVersion).where(ModelVersion.dataset_id == dataset.id)
    if before is not None:
        statement = statement.where(ModelVersion.number < min(before, _LARGEST_NUMBER))
    return list(session.scalars(statement.order_by(ModelVersion.number.desc()).limit(limit + 1)))


def has_versions(session: Session, dataset: Dataset) -> bool:
    """Whether the dataset has a trained model."""
    return _last_number(session, dataset.id) > 0


def trained_tasks(version: ModelVersion) -> dict[str, Task]:
    """What the version predicts, by name, as it was declared when it was trained."""
    return {task["name"]: Task.model_validate(task) for task in version.tasks}


def _last_number(session: Session, dataset_id: int) -> int:
    numbers = select(func.max(ModelVersion.number)).where(ModelVersion.dataset_id == dataset_id)
    return session.scalar(numbers) or 0
