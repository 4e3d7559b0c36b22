"""Ask a job to stop."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Job
from app.errors import Conflict, NotFound
from app.jobs.clock import database_now
from app.jobs.events import move
from app.jobs.states import JobState


def cancel(session: Session, job_id: str) -> Job:
    """Cancel a queued job at once; tell a running one to stop. Asking again changes nothing.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has succeeded or failed.
    """
    job = session.scalar(
        select(Job)
        .where(Job.id == job_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if job is None:
        raise NotFound(f"there is no job {job_id!r}")
    if job.state == JobState.QUEUED:
        job.finished_at = database_now(session)
        job.checkpoint = None
        move(session, job, JobState.CANCELLED)
    elif job.state == JobState.RUNNING:
        move(session, job, JobState.CANCELLING)
    elif job.state in (JobState.SUCCEEDED, JobState.FAILED):
        raise Conflict(f"job {job_id} has already {job.state}", code="job_ended")
    return job
