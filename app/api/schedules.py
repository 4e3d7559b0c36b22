"""Schedules over HTTP: when a dataset is trained anew."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import DatasetName, IfMatch, ReadSession, WriteSession
from app.api.pagination import Page, Pagination
from app.api.training_jobs import TrainingJobRequest
from app.db import tables
from app.domain import schedules
from app.domain.datasets import get_dataset
from app.domain.firing import new_events
from app.domain.schedules import Rule

router = APIRouter(tags=["schedules"], prefix="/datasets/{dataset}/schedules")

ScheduleName = Annotated[
    str,
    Path(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="a word of a-z, 0-9, _ and -",
        examples=["every-monday"],
    ),
]
_ETAG = {"ETag": {"description": "for If-Match", "schema": {"type": "string"}}}
_EXAMPLES = {
    "every Monday": {
        "summary": "Mondays at three, by the dataset's clocks",
        "value": {"cron": "0 3 * * 1"},
    },
    "first of the month": {
        "summary": "On the first of each month, by the clocks of London",
        "value": {"cron": "30 2 1 * *", "time_zone": "Europe/London"},
    },
    "new events": {
        "summary": "When 10,000 events have come since the last training",
        "value": {"after_new_events": 10_000},
    },
}


class ScheduleDeclaration(BaseModel):
    """When to train: by a cron expression or after so many new events."""

    model_config = ConfigDict(extra="forbid")

    cron: str | None = Field(
        default=None,
        max_length=200,
        description="minute, hour, day of month, month, day of week",
        examples=["0 3 * * 1"],
    )
    time_zone: str | None = Field(
        default=None,
        description="IANA name of the clocks that `cron` goes by; left out: the dataset's",
        examples=["Europe/London"],
    )
    after_new_events: int | None = Field(
        default=None,
        ge=1,
        lt=2**63,
        description="train when so many events have come since the last training was submitted",
        examples=[10_000],
    )
    training: TrainingJobRequest = Field(
        default=TrainingJobRequest(),
        description="what each training is asked for; tasks are taken as they are declared then",
    )
    enabled: bool = Field(default=True, description="whether it makes jobs")


class ScheduleFault(BaseModel):
    """Why no job could be made when one was due; `code` is stable."""

    code: str = Field(examples=["no_tasks"])
    message: str
    at: datetime


class Schedule(ScheduleDeclaration):
    """A schedule of a dataset and how it goes."""

    name: str
    next_run_at: datetime | None = Field(description="null while paused, or without `cron`")
    new_events: int | None = Field(description="that have come so far; with `after_new_events`")
    last_run_at: datetime | None = Field(description="when it made its last job")
    last_job_id: str | None
    last_error: ScheduleFault | None = Field(description="of the last time it was due")
    revision: int
    created_at: datetime
    updated_at: datetime


@router.put(
    "/{schedule}",
    operation_id="putSchedule",
    summary="Train a dataset regularly",
    responses={
        200: {"headers": _ETAG, "description": "It was there before"},
        201: {"headers": _ETAG, "model": Schedule, "description": "It is new"},
    },
)
def put_schedule(
    session: WriteSession,
    response: Response,
    dataset: DatasetName,
    schedule: ScheduleName,
    body: Annotated[ScheduleDeclaration, Body(openapi_examples=_EXAMPLES)],
    if_match: IfMatch = None,
) -> Schedule:
    """Make a schedule, or change it.

    When it is due, it submits a training job. If it was due several times while no worker ran, it
    runs once. It waits while its last job is queued or running. Where the clocks go back, a fixed
    hour counts once; where they go forward, a missing hour is made up for at its end.
    """
    found = get_dataset(session, dataset, lock=True)
    rule = Rule(
        cron=body.cron,
        time_zone=body.time_zone,
        after_new_events=body.after_new_events,
        training=body.training.request,
        enabled=body.enabled,
    )
    row, is_new = schedules.put_schedule(session, found, schedule, rule, if_match)
    response.status_code = 201 if is_new else 200
    response.headers["ETag"] = schedules.etag_of(row)
    return _shown(session, row, found)


@router.get(
    "/{schedule}",
    operation_id="getSchedule",
    summary="A schedule",
    responses={200: {"headers": _ETAG}},
)
def get_schedule(
    session: ReadSession, response: Response, dataset: DatasetName, schedule: ScheduleName
) -> Schedule:
    """When it is due, what it made last, and what hindered it; its `ETag` is for `If-Match`."""
    found = get_dataset(session, dataset)
    row = schedules.get_schedule(session, found, schedule)
    response.headers["ETag"] = schedules.etag_of(row)
    return _shown(session, row, found)


@router.get("", operation_id="listSchedules", summary="Schedules by name")
def list_schedules(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[Schedule]:
    """The schedules of a dataset."""
    found = get_dataset(session, dataset)
    rows = schedules.list_schedules(session, found, pagination.after_str(), pagination.limit)
    return pagination.page(rows, lambda row: _shown(session, row, found), lambda row: [row.name])


@router.delete(
    "/{schedule}", status_code=204, operation_id="deleteSchedule", summary="Forget a schedule"
)
def delete_schedule(
    session: WriteSession, dataset: DatasetName, schedule: ScheduleName, if_match: IfMatch = None
) -> None:
    """Forget a schedule. The jobs that it made stay, also those that are queued or running."""
    found = get_dataset(session, dataset, lock=True)
    schedules.delete_schedule(session, found, schedule, if_match)


@router.post("/{schedule}/pause", operation_id="pauseSchedule", summary="Pause a schedule")
def pause_schedule(session: WriteSession, dataset: DatasetName, schedule: ScheduleName) -> Schedule:
    """It makes no more jobs; one that it has made goes on. Asking again changes nothing."""
    return _enabled(session, dataset, schedule, enabled=False)


@router.post("/{schedule}/resume", operation_id="resumeSchedule", summary="Resume a schedule")
def resume_schedule(
    session: WriteSession, dataset: DatasetName, schedule: ScheduleName
) -> Schedule:
    """Go on from now; what was due during the pause is not run. Asking again changes nothing."""
    return _enabled(session, dataset, schedule, enabled=True)


def _enabled(session: WriteSession, dataset: str, schedule: str, *, enabled: bool) -> Schedule:
    found = get_dataset(session, dataset, lock=True)
    row = schedules.enable_schedule(session, found, schedule, enabled=enabled)
    return _shown(session, row, found)


def _shown(session: ReadSession, row: tables.Schedule, dataset: tables.Dataset) -> Schedule:
    counts = row.after_new_events is not None
    return Schedule(
        name=row.name,
        cron=row.cron,
        time_zone=None if row.cron is None else schedules.zone_of(row, dataset),
        after_new_events=row.after_new_events,
        training=TrainingJobRequest.model_validate(row.training),
        enabled=row.enabled,
        next_run_at=row.next_run_at,
        new_events=new_events(session, row.dataset_id) if counts else None,
        last_run_at=row.last_run_at,
        last_job_id=row.last_job_id,
        last_error=None if row.last_error is None else ScheduleFault(**row.last_error),
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
