"""What jobs of every kind have in common over HTTP: how they are shown, accepted and followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, HTTPException, Path, Request, Response
from fastapi.sse import ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import AppSettings, DatasetName, ReadSession, SessionFactory
from app.api.job_events import Follower
from app.db.engine import transaction
from app.db.tables import Job
from app.domain.compaction import compact
from app.domain.datasets import get_dataset
from app.domain.training_jobs import is_told

State = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
JobId = Annotated[str, Path(description="id of the job")]
MAX_EVENT_ID = 2**63 - 1
_RETRY_AFTER_S = 1

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {"description": "where the job is", "schema": {"type": "string"}},
            "Retry-After": {"description": "seconds", "schema": {"type": "integer"}},
        }
    }
}
FOLLOWED: dict[int | str, dict[str, Any]] = {
    204: {
        "description": "The job has ended and nothing follows `Last-Event-ID`: a browser that "
        "reads this does not come back"
    }
}


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


class BackgroundJob(BaseModel):
    """A job of any kind."""

    id: str
    dataset: str
    state: State
    progress: JobProgress | None
    error: JobFault | None = Field(description="once it has failed")
    attempt: int
    losses: int = Field(description="how often the job lost its worker")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def shown(job: Job, dataset_name: str) -> dict[str, Any]:
    """The fields of `BackgroundJob`."""
    error = None
    if job.error_code is not None:
        error = JobFault(code=job.error_code, message=job.error_message or "")
    return {
        "id": job.id,
        "dataset": dataset_name,
        "state": job.state,
        "progress": JobProgress(**job.progress) if job.progress else None,
        "error": error,
        "attempt": job.attempt,
        "losses": job.losses,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def point_to(response: Response, location: str) -> None:
    """Say where the accepted job is, and when to look."""
    response.headers["Location"] = location
    response.headers["Retry-After"] = str(_RETRY_AFTER_S)


def say_when_to_ask_again(response: Response, job: BackgroundJob) -> None:
    """Nothing of a job that has ended."""
    if job.finished_at is None:
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)


def _compact(sessions: SessionFactory, settings: AppSettings, dataset: DatasetName) -> None:
    """A job looks at all that was posted before it."""
    with transaction(sessions, write=False) as session:
        dataset_id = get_dataset(session, dataset).id
    compact(sessions, settings.data_dir, dataset_id)


Compacted = Annotated[None, Depends(_compact)]


def followed(known_job: Callable[..., str]) -> Any:
    """The dependency that gives the events of a job.

    Args:
        known_job: the dependency that looks the job up. A stream cannot answer 404 any more once it
            has begun, nor 204: both are said before.
    """
    looked_up = Depends(known_job, scope="function")

    def follow(
        request: Request,
        session: ReadSession,
        settings: AppSettings,
        sessions: SessionFactory,
        job_id: str = looked_up,
        last_event_id: Annotated[
            int | None, Header(ge=0, le=MAX_EVENT_ID, description="go on after this")
        ] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        after = last_event_id or 0
        if last_event_id is not None and is_told(session, job_id, after):
            raise HTTPException(204)
        follower = Follower(sessions, job_id, settings.poll_s, request.app.state.stopping)
        return follower.events(after)

    return Depends(follow, scope="function")
