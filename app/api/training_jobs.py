"""Training jobs over HTTP: submit, look, cancel, follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import DatasetName, IdempotencyKey, ReadSession, WriteSession
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
from app.domain import training_jobs
from app.domain.datasets import get_dataset
from app.domain.training_jobs import TrainingRequest
from model.config import Config

router = APIRouter(tags=["training jobs"])


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


class TrainingJob(BackgroundJob):
    """A training in the background."""

    schedule: str | None = Field(description="name of the schedule that made it")
    tasks: list[str]
    seed: int
    priority: int
    dataset_revision: int = Field(
        description="of the data that it learns from: what there was when it was submitted"
    )
    result: dict[str, Any] | None = Field(
        description="once it has succeeded", examples=[{"model_version": 1}]
    )


@router.post(
    "/datasets/{dataset}/training-jobs",
    status_code=202,
    operation_id="submitTrainingJob",
    summary="Train a model in the background",
    responses=ACCEPTED,
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
    point_to(response, f"/v1/training-jobs/{found.job.id}")
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
    found = _shown(training_jobs.get_training_job(session, job_id))
    say_when_to_ask_again(response, found)
    return found


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


KnownJob = Annotated[str, Depends(_known_job, scope="function")]


@router.get(
    "/training-jobs/{job_id}/events",
    operation_id="followTrainingJob",
    summary="Follow a training job by server-sent events",
    response_class=EventSourceResponse,
    responses=FOLLOWED,
)
async def follow_training_job(
    events: Annotated[AsyncIterator[ServerSentEvent], followed(_known_job)],
) -> AsyncIterator[ServerSentEvent]:
    """Events `state`, `progress` and `log`, from the first one on, until the job has ended.

    Each has an id: who is cut off comes back with the last one as `Last-Event-ID` and misses
    nothing. Of the progress within a stage the newest is kept a few times a second, and of each
    stage at least one. A comment is sent every 15 seconds while nothing happens.
    """
    async for event in events:
        yield event


def _shown(found: training_jobs.TrainingJob) -> TrainingJob:
    job = found.job
    return TrainingJob(
        **shown(job, found.dataset_name),
        schedule=job.schedule,
        tasks=[task["name"] for task in job.arguments["tasks"]],
        seed=job.arguments["seed"],
        priority=job.priority,
        dataset_revision=job.arguments["dataset_revision"],
        result=job.result,
    )
