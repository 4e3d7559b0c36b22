"""Prediction jobs over HTTP: score many in the background, follow, download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.api.dependencies import (
    DatasetName,
    IdempotencyKey,
    ReadSession,
    SessionFactory,
    WriteSession,
)
from app.api.exports import (
    EXPORT_RESPONSES,
    AcceptHeader,
    OneTask,
    WantedFormat,
    chosen_format,
    download,
)
from app.api.jobs import (
    ACCEPTED,
    FOLLOWED,
    BackgroundJob,
    Compacted,
    JobId,
    State,
    followed,
    point_to,
    say_when_to_ask_again,
    shown,
)
from app.api.pagination import Page, Pagination
from app.api.prediction_schemas import Id
from app.db.engine import transaction
from app.domain import prediction_jobs
from app.domain.datasets import get_dataset
from app.domain.exporting import chosen_tasks
from app.domain.model_versions import CHAMPION
from app.domain.prediction_jobs import PredictionJobRequest, set_of

router = APIRouter(tags=["prediction jobs"], prefix="/datasets/{dataset}/prediction-jobs")

MAX_LISTED = 100_000


class NewPredictionJob(BaseModel):
    """Whom to score, with what, as of when; with nothing said everybody, by the champion."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(
        default=CHAMPION,
        pattern=r"^([0-9]{1,9}|[a-z][a-z0-9_-]{0,62})$",
        description="number of a model version, or an alias",
        examples=["champion", "2"],
    )
    tasks: list[Id] | None = Field(
        default=None, min_length=1, max_length=10_000, description="names; left out: all of them"
    )
    users: list[Id] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_LISTED,
        description="only these; tasks about pairs are answered for their candidate pairs",
    )
    items: list[Id] | None = Field(
        default=None, min_length=1, max_length=MAX_LISTED, description="only these"
    )
    active_within_days: float | None = Field(
        default=None, gt=0, le=36_500, description="only who had an event in so many days before"
    )
    as_of: AwareDatetime | None = Field(
        default=None,
        description="events after this are not looked at; left out: the dataset's newest event",
    )

    @property
    def request(self) -> PredictionJobRequest:
        """As the domain takes it."""
        names, users, items = (
            None if listed is None else tuple(listed)
            for listed in (self.tasks, self.users, self.items)
        )
        return PredictionJobRequest(
            self.version, names, users, items, self.active_within_days, self.as_of
        )


class PredictionJobResult(BaseModel):
    """What a job has stored."""

    prediction_set: int = Field(description="id of the set")
    rows: int = Field(description="answers in it")


class PredictionJob(BackgroundJob):
    """A scoring in the background."""

    model_version: int = Field(description="that answers")
    tasks: list[str]
    users: int | None = Field(description="how many are listed; null: nobody is")
    items: int | None = Field(description="how many are listed; null: nothing is")
    active_within_days: float | None
    as_of: datetime = Field(description="events after this are not looked at")
    result: PredictionJobResult | None = Field(description="once it has succeeded")


@router.post(
    "",
    status_code=202,
    operation_id="submitPredictionJob",
    summary="Score everybody in the background",
    responses=ACCEPTED,
)
def submit_prediction_job(
    dataset: DatasetName,
    _compacted: Compacted,
    session: WriteSession,
    response: Response,
    body: NewPredictionJob | None = None,
    idempotency_key: IdempotencyKey = None,
) -> PredictionJob:
    """Queue a scoring by a model version as of a moment: the dataset's newest event, or `as_of`.

    Its answers are seen all at once, when it has succeeded. Rankings by that version then read
    them, unless the job was for listed users or items; those are for download alone. The same
    `Idempotency-Key` with the same body gives the same job for ever.
    """
    request = (body or NewPredictionJob()).request
    row = get_dataset(session, dataset, lock=True)
    found = prediction_jobs.submit_prediction_job(session, row, request, idempotency_key)
    point_to(response, f"/v1/datasets/{dataset}/prediction-jobs/{found.job.id}")
    return _shown(found)


@router.get("", operation_id="listPredictionJobs", summary="Prediction jobs")
def list_prediction_jobs(
    dataset: DatasetName,
    session: ReadSession,
    pagination: Pagination,
    state: Annotated[list[State] | None, Query(description="only in these states")] = None,
) -> Page[PredictionJob]:
    """The prediction jobs of a dataset, the newest first."""
    jobs = prediction_jobs.list_prediction_jobs(
        session,
        get_dataset(session, dataset),
        states=state or (),
        before=pagination.after_str(),
        limit=pagination.limit,
    )
    return pagination.page(jobs, _shown, lambda found: [found.job.id])


@router.get("/{job_id}", operation_id="getPredictionJob", summary="One prediction job")
def get_prediction_job(
    dataset: DatasetName, job_id: JobId, session: ReadSession, response: Response
) -> PredictionJob:
    """Its state, progress, and how it ended; `Retry-After` says when to ask again."""
    row = get_dataset(session, dataset)
    found = _shown(prediction_jobs.get_prediction_job(session, row, job_id))
    say_when_to_ask_again(response, found)
    return found


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    operation_id="cancelPredictionJob",
    summary="Stop a prediction job",
)
def cancel_prediction_job(
    dataset: DatasetName, job_id: JobId, session: WriteSession
) -> PredictionJob:
    """A queued job is cancelled at once; a running one is told to stop, after a grace killed.

    Asking again changes nothing. A job that has succeeded or failed cannot be cancelled.
    """
    row = get_dataset(session, dataset)
    return _shown(prediction_jobs.cancel_prediction_job(session, row, job_id))


@router.get(
    "/{job_id}/export",
    operation_id="exportPredictionJob",
    summary="Download what a prediction job has stored",
    response_class=StreamingResponse,
    responses=EXPORT_RESPONSES,
)
def export_prediction_job(
    dataset: DatasetName,
    job_id: JobId,
    sessions: SessionFactory,
    accept: AcceptHeader = "*/*",
    format: WantedFormat = None,  # noqa: A002 (the query's name)
    task: OneTask = None,
) -> StreamingResponse:
    """All its answers, or those of one task, as Parquet, CSV or JSON Lines."""
    how = chosen_format(format, accept)
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, dataset)
        job = prediction_jobs.get_prediction_job(session, row, job_id)
        found = set_of(session, row, job)
        tasks = chosen_tasks(session, row, found, task)
    return download(sessions, found, tasks, how)


def _known_job(dataset: DatasetName, job_id: JobId, session: ReadSession) -> str:
    row = get_dataset(session, dataset)
    return prediction_jobs.get_prediction_job(session, row, job_id).job.id


@router.get(
    "/{job_id}/events",
    operation_id="followPredictionJob",
    summary="Follow a prediction job by server-sent events",
    response_class=EventSourceResponse,
    responses=FOLLOWED,
)
async def follow_prediction_job(
    events: Annotated[AsyncIterator[ServerSentEvent], followed(_known_job)],
) -> AsyncIterator[ServerSentEvent]:
    """Events `state`, `progress` and `log`, as those of a training job."""
    async for event in events:
        yield event


def _shown(found: prediction_jobs.PredictionJob) -> PredictionJob:
    job = found.job
    arguments: dict[str, Any] = job.arguments
    return PredictionJob(
        **shown(job, found.dataset_name),
        model_version=arguments["version"],
        tasks=arguments["tasks"],
        users=None if arguments["users"] is None else len(arguments["users"]),
        items=None if arguments["items"] is None else len(arguments["items"]),
        active_within_days=arguments["active_within_days"],
        as_of=arguments["as_of"],
        result=None if job.result is None else PredictionJobResult(**job.result),
    )
