"""Model versions over HTTP: what was trained, how good it is, what it has learned of the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.api.dependencies import DatasetName, ReadSession
from app.api.moments import cutoff_shown
from app.api.pagination import Page, Pagination
from app.db.tables import ModelVersion
from app.domain import model_versions
from app.domain.aliases import names_by_version
from app.domain.datasets import get_dataset
from model.evaluation import Report, TaskGraph
from model.tasks import Task

router = APIRouter(tags=["models"], prefix="/datasets/{dataset}/model-versions")

VersionNumber = Annotated[int, Path(ge=1, lt=2**31, description="number of the model version")]


class TrainedModel(BaseModel):
    """A model version; it never changes, but aliases move."""

    number: int = Field(description="counts up per dataset")
    aliases: list[str] = Field(description="what points to it", examples=[["champion"]])
    tasks: list[Task] = Field(description="what it predicts, as declared when it was trained")
    cutoff_at: datetime | None = Field(
        description="up to when it knows the log; null for a log without times"
    )
    dataset_revision: int = Field(description="of the data that it has learned from")
    predictions_removed_at: datetime | None = Field(
        description="since then it ranks nobody any more, but answers entity by entity"
    )
    training_job: str | None = Field(description="id of the job that trained it")
    created_at: datetime


class ReportedModel(TrainedModel):
    """A model version with its quality on held-out time."""

    report: Report = Field(description="per task, the model's scores beside the baselines'")


@router.get("", operation_id="listModelVersions", summary="Model versions, the newest first")
def list_model_versions(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[TrainedModel]:
    """All model versions of a dataset."""
    row = get_dataset(session, dataset)
    versions = model_versions.list_versions(session, row, pagination.after_int(), pagination.limit)
    names = names_by_version(session, row)
    return pagination.page(
        versions,
        lambda version: _shown(version, names.get(version.number, ())),
        lambda version: [version.number],
    )


@router.get("/{number}", operation_id="getModelVersion", summary="A model version and its quality")
def get_model_version(
    session: ReadSession, dataset: DatasetName, number: VersionNumber
) -> ReportedModel:
    """One model version: each task's quality on held-out time, beside its baselines."""
    row = get_dataset(session, dataset)
    version = model_versions.get_version(session, row, number)
    names = names_by_version(session, row)
    shown = _shown(version, names.get(number, ()))
    return ReportedModel(**dict(shown), report=Report.model_validate(version.report))


@router.get(
    "/{number}/task-graph", operation_id="getTaskGraph", summary="The learned graph of tasks"
)
def get_task_graph(session: ReadSession, dataset: DatasetName, number: VersionNumber) -> TaskGraph:
    """How much knowing one task's outcome says about another's, the strongest edge first."""
    version = model_versions.get_version(session, get_dataset(session, dataset), number)
    return TaskGraph.model_validate(version.task_graph)


def _shown(version: ModelVersion, names: Sequence[str]) -> TrainedModel:
    return TrainedModel(
        number=version.number,
        aliases=list(names),
        tasks=list(model_versions.trained_tasks(version).values()),
        cutoff_at=cutoff_shown(version.cutoff_at),
        dataset_revision=version.dataset_revision,
        predictions_removed_at=version.predictions_removed_at,
        training_job=version.job_id,
        created_at=version.created_at,
    )
