"""Prediction sets over HTTP: what is stored, and where rankings read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.dependencies import DatasetName, ReadSession, SessionFactory
from app.api.exports import (
    EXPORT_RESPONSES,
    AcceptHeader,
    OneTask,
    WantedFormat,
    chosen_format,
    download,
)
from app.api.moments import cutoff_shown
from app.api.pagination import Page, Pagination
from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.domain.exporting import chosen_tasks
from app.domain.prediction_sets import FoundSet, get_set, list_sets, rows_by_task

router = APIRouter(tags=["prediction jobs"], prefix="/datasets/{dataset}/prediction-sets")

SetId = Annotated[int, Path(ge=1, lt=2**31, description="id of the set")]


class StoredSet(BaseModel):
    """What a model version said of many entities at one moment; it never changes."""

    id: int
    model_version: int = Field(description="that answers")
    cutoff_at: datetime | None = Field(
        description="events after this were not looked at; null for a log without times"
    )
    job: str | None = Field(description="id of the training or prediction job that made it")
    ranked: bool = Field(description="whether rankings read it, while there is no newer one")
    rows: int = Field(description="answers in it")
    bytes: int = Field(description="what they take in the database")
    published_at: datetime | None


class StoredSetWithTasks(StoredSet):
    """A prediction set and its tasks."""

    tasks: dict[str, int] = Field(description="answers by task", examples=[{"buys_30d": 400}])


@router.get("", operation_id="listPredictionSets", summary="Prediction sets, the newest first")
def list_prediction_sets(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[StoredSet]:
    """What trainings and prediction jobs have stored, and is not removed yet."""
    row = get_dataset(session, dataset)
    found = list_sets(session, row, pagination.after_int(), pagination.limit)
    return pagination.page(
        found, lambda one: StoredSet(**_shown(one)), lambda one: [one.prediction_set.id]
    )


@router.get("/{set_id}", operation_id="getPredictionSet", summary="A prediction set")
def get_prediction_set(
    session: ReadSession, dataset: DatasetName, set_id: SetId
) -> StoredSetWithTasks:
    """One prediction set, and how many answers each of its tasks has."""
    found = get_set(session, get_dataset(session, dataset), set_id)
    return StoredSetWithTasks(**_shown(found), tasks=rows_by_task(session, found.prediction_set))


@router.get(
    "/{set_id}/export",
    operation_id="exportPredictionSet",
    summary="Download a prediction set",
    response_class=StreamingResponse,
    responses=EXPORT_RESPONSES,
)
def export_prediction_set(
    dataset: DatasetName,
    set_id: SetId,
    sessions: SessionFactory,
    accept: AcceptHeader = "*/*",
    format: WantedFormat = None,  # noqa: A002 (the query's name)
    task: OneTask = None,
) -> StreamingResponse:
    """All its answers, or those of one task, as Parquet, CSV or JSON Lines."""
    how = chosen_format(format, accept)
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, dataset)
        found = get_set(session, row, set_id)
        tasks = chosen_tasks(session, row, found, task)
    return download(sessions, found, tasks, how)


def _shown(found: FoundSet) -> dict[str, object]:
    stored = found.prediction_set
    return {
        "id": stored.id,
        "model_version": found.version,
        "cutoff_at": cutoff_shown(stored.cutoff_at),
        "job": stored.job_id,
        "ranked": stored.ranked,
        "rows": stored.rows,
        "bytes": stored.bytes,
        "published_at": stored.published_at,
    }
