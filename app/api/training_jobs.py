"""Training jobs over HTTP: submit, look, cancel, follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import (
    AppSettings,
    DatasetName,
    IdempotencyKey,
    ReadSession,
    SessionFactory,
    WriteSession,
)
from app.api.job_events import Follower
from app.api.pagination import Page, Pagination
from app.db.engine import transaction
from app.domain import training_jobs
from app.domain.compaction import compact
from app.domain.datasets import get_dataset
from app.domain.training_jobs import TrainingRequest
from model.config import Config

router = APIRouter(tags=["training jobs"])

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
JobId = Annotated[str, Path(description="id of the job")]
MAX_EVENT_ID = 2**63 - 1
_RETRY_AFTER_S = 1


class TrainingJobRequest(BaseModel):
    """What to train."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[str] | None = Field(
        default=None, min_length=1, description="names of declared tasks; left out: all of them"
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="of all that is random in it")
    config: Config = Field(
        default=Config(), description="hyperparameters; the defaults need no tuning"
    )
    priority: int = Field(
        default=0, ge=-1000, le=1000, description="of the jobs that wait, the highest is run first"
    )

    @property
    def request(self) -> TrainingRequest:
        """As the domain takes it."""
        names = None if self.tasks is None else tuple(self.tasks)
        return TrainingRequest(names, self.seed, self.config, self.priority)


class JobProgress(BaseModel):
    """How far a job has come."""

    model_config = ConfigDict(extra="allow")

    stage: str = Field(examples=["fit"])
    fraction: float = Field(description="of the whole job, from 0 to 1")
    epoch: int | None = None
    losses: dict[str, float | None] = Field(
        default={}, description="by task: the NLL over that of the climatology"
    )


class JobFault(BaseModel):
    """Why a job failed and what to do; `code` is stable."""

    code: str = Field(examples=["not_enough_data"])
    message: str


class TrainingJob(BaseModel):
    """A training in the background."""

    id: str
    dataset: str
    state: State
    schedule: str | None = Field(description="name of the schedule that made it")
    tasks: list[str]
    seed: int
    priority: int
    dataset_revision: int = Field(
        description="of the data that it learns from: what there was when it was submitted"
    )
    progress: JobProgress | None
    result: dict[str, Any] | None = Field(
        description="once it has succeeded", examples=[{"model_version": 1}]
    )
    error: JobFault | None = Field(description="once it has failed")
    attempt: int
    losses: int = Field(description="how often the job lost its worker")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def _compact(sessions: SessionFactory, settings: AppSettings, dataset: DatasetName) -> None:
    """A job looks at all that was posted before it."""
    with transaction(sessions, write=False) as session:
        dataset_id = get_dataset(session, dataset).id
    compact(sessions, settings.data_dir, dataset_id)


Compacted = Annotated[None, Depends(_compact)]


@router.post(
    "/datasets/{dataset}/training-jobs",
    status_code=202,
    operation_id="submitTrainingJob",
    summary="Train a model in the background",
    responses={
        202: {
            "headers": {
                "Location": {"description": "where the job is", "schema": {"type": "string"}},
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
            }
        }
    },
)
def submit_training_job(
    dataset: DatasetName,
    _compacted: Compacted,
    session: WriteSession,
    response: Response,
    body: TrainingJobRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> TrainingJob:
    """Queue a training of the tasks as they are declared now.

    The same `Idempotency-Key` with the same body gives the same job for ever. A dataset's jobs run
    one after the other, unless the service is set up to run more of them at a time.
    """
    request = (body or TrainingJobRequest()).request
    row = get_dataset(session, dataset, lock=True)
    found = training_jobs.submit_training(session, row, request, idempotency_key)
    response.headers["Location"] = f"/v1/training-jobs/{found.job.id}"
    response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return _shown(found)


@router.get("/training-jobs", operation_id="listTrainingJobs", summary="Training jobs")
def list_training_jobs(
    session: ReadSession,
    pagination: Pagination,
    dataset: Annotated[str | None, Query(description="only this dataset's")] = None,
    state: Annotated[list[State] | None, Query(description="only in these states")] = None,
) -> Page[TrainingJob]:
    """All training jobs, the newest first."""
    jobs = training_jobs.list_training_jobs(
        session,
        dataset=None if dataset is None else get_dataset(session, dataset),
        states=state or (),
        before=pagination.after_str(),
        limit=pagination.limit,
    )
    return pagination.page(jobs, _shown, lambda found: [found.job.id])


@router.get("/training-jobs/{job_id}", operation_id="getTrainingJob", summary="One training job")
def get_training_job(job_id: JobId, session: ReadSession, response: Response) -> TrainingJob:
    """Its state, progress, and how it ended; `Retry-After` says when to ask again."""
    shown = _shown(training_jobs.get_training_job(session, job_id))
    if shown.finished_at is None:
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return shown


@router.post(
    "/training-jobs/{job_id}/cancel",
    status_code=202,
    operation_id="cancelTrainingJob",
    summary="Stop a training job",
)
def cancel_training_job(job_id: JobId, session: WriteSession) -> TrainingJob:
    """A queued job is cancelled at once; a running one is told to stop, after a grace killed.

    Asking again changes nothing. A job that has succeeded or failed cannot be cancelled.
    """
    return _shown(training_jobs.cancel_training_job(session, job_id))


def _known_job(job_id: JobId, session: ReadSession) -> str:
    return training_jobs.get_training_job(session, job_id).job.id


# A stream cannot answer 404 any more once it has begun: the job is looked up before.
KnownJob = Annotated[str, Depends(_known_job, scope="function")]


def _last_seen(
    job_id: KnownJob,
    session: ReadSession,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=MAX_EVENT_ID, description="go on after this")
    ] = None,
) -> int:
    after = last_event_id or 0
    if last_event_id is not None and training_jobs.is_told(session, job_id, after):
        raise HTTPException(204)
    return after


LastSeen = Annotated[int, Depends(_last_seen, scope="function")]


@router.get(
    "/training-jobs/{job_id}/events",
    operation_id="followTrainingJob",
    summary="Follow a training job by server-sent events",
    response_class=EventSourceResponse,
    responses={
        204: {
            "description": "The job has ended and nothing follows `Last-Event-ID`: a browser that "
            "reads this does not come back"
        }
    },
)
async def follow_training_job(
    request: Request,
    job_id: KnownJob,
    after: LastSeen,
    settings: AppSettings,
    sessions: SessionFactory,
) -> AsyncIterator[ServerSentEvent]:
    """Events `state`, `progress` and `log`, from the first one on, until the job has ended.

    Each has an id: who is cut off comes back with the last one as `Last-Event-ID` and misses
    nothing. Of the progress within a stage the newest is kept a few times a second, and of each
    stage at least one. A comment is sent every 15 seconds while nothing happens.
    """
    follower = Follower(sessions, job_id, settings.poll_s, request.app.state.stopping)
    async for event in follower.events(after):
        yield event


def _shown(found: training_jobs.TrainingJob) -> TrainingJob:
    job = found.job
    error = None
    if job.error_code is not None:
        error = JobFault(code=job.error_code, message=job.error_message or "")
    return TrainingJob(
        id=job.id,
        dataset=found.dataset_name,
        state=job.state,
        schedule=job.schedule,
        tasks=[task["name"] for task in job.arguments["tasks"]],
        seed=job.arguments["seed"],
        priority=job.priority,
        dataset_revision=job.arguments["dataset_revision"],
        progress=JobProgress(**job.progress) if job.progress else None,
        result=job.result,
        error=error,
        attempt=job.attempt,
        losses=job.losses,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )
