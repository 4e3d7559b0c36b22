"""What old rows are removed: histories of jobs that ended long ago, prediction sets out of use.

Rows of jobs stay, because an idempotency key gives the same job for ever. Each function does a
bounded piece of work, so that nobody waits long for the database; call it again until it returns 0.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import Session

from app.db.tables import Alias, Dataset, EventBatch, Job, JobEvent, ModelVersion, TailEvents
from app.domain import idempotency
from app.domain.datasets import batch_operation
from app.domain.prediction_sets import sets_of_version, superseded_sets, withdraw
from app.jobs.clock import database_now
from app.jobs.states import TERMINAL
from app.jobs.submit import NewJob, submit

KIND = "retention"

_ROWS_AT_ONCE = 5_000


def retention_is_due(session: Session, interval_s: float) -> bool:
    """Whether the last retention job is over and was submitted so long ago, or never was one."""
    return _is_long_over(session, _last_job(session), interval_s)


def submit_retention(session: Session, interval_s: float) -> Job | None:
    """Queue a retention job if one is due; who finds the same last job gets the same next one."""
    last = _last_job(session)  # read once: another may come between two looks
    if not _is_long_over(session, last, interval_s):
        return None
    key = f"retention → after {None if last is None else last.id}"  # no header can hold the arrow
    return submit(session, NewJob(KIND, None, arguments={}), idempotency_key=key)


def remove_histories(session: Session, ended_before: datetime) -> int:
    """Remove progress and log lines of jobs that ended before this; their states stay.

    Returns:
        How many were removed; 0 once there are no more.
    """
    ended = select(Job.id).where(Job.state.in_(TERMINAL), Job.finished_at < ended_before)
    old = select(JobEvent.id).where(JobEvent.job_id.in_(ended), JobEvent.kind != "state")
    chosen = session.scalars(old.limit(_ROWS_AT_ONCE)).all()
    session.execute(delete(JobEvent).where(JobEvent.id.in_(chosen)))
    return len(chosen)


def remove_retention_jobs(session: Session, ended_before: datetime) -> int:
    """Remove the retention's own jobs that ended before this: nobody asks for them again."""
    old = select(Job.id).where(
        Job.kind == KIND, Job.state.in_(TERMINAL), Job.finished_at < ended_before
    )
    chosen = session.scalars(old.limit(_ROWS_AT_ONCE)).all()
    session.execute(delete(Job).where(Job.id.in_(chosen)))
    return len(chosen)


def remove_batches(session: Session, made_before: datetime) -> int:
    """Remove what is told of event batches that were posted before this and are in a part by now.

    The idempotency keys go with them: who sends such a batch again is told of duplicates.
    """
    old = select(EventBatch.id, EventBatch.dataset_id).where(
        EventBatch.created_at < made_before,
        ~exists().where(TailEvents.batch_id == EventBatch.id),
    )
    chosen = session.execute(old.limit(_ROWS_AT_ONCE)).all()
    for batch_id, dataset_id in chosen:
        idempotency.forget(session, batch_operation(dataset_id), str(batch_id))
    session.execute(delete(EventBatch).where(EventBatch.id.in_([row.id for row in chosen])))
    return len(chosen)


def retire_versions(session: Session, kept: int) -> int:
    """Let the versions that are not among a dataset's newest `kept`, and have no alias, say that
    their predictions are no longer stored, and withdraw these.

    Returns:
        How many were retired.
    """
    retired = 0
    for dataset_id in session.scalars(select(Dataset.id).order_by(Dataset.id)).all():
        # Locked as by whoever moves an alias, so that no alias comes to point to a retired one.
        session.execute(
            select(Dataset.id).where(Dataset.id == dataset_id).with_for_update(key_share=True)
        )
        for version in session.scalars(_superseded(dataset_id, kept)).all():
            version.predictions_removed_at = database_now(session)
            for prediction_set in sets_of_version(session, version):
                withdraw(prediction_set)
            retired += 1
    return retired


def withdraw_sets(session: Session, published_before: datetime) -> int:
    """Let nobody see the prediction sets that no ranking reads and that were published before this.

    Returns:
        How many were withdrawn; `remove_withdrawn` removes what they hold.
    """
    old = superseded_sets(session, published_before)
    for prediction_set in old:
        withdraw(prediction_set)
    return len(old)


def _is_long_over(session: Session, last: Job | None, interval_s: float) -> bool:
    if last is None:
        return True
    oldest = database_now(session) - timedelta(seconds=interval_s)
    return last.state in TERMINAL and last.created_at <= oldest


def _last_job(session: Session) -> Job | None:
    return session.scalar(select(Job).where(Job.kind == KIND).order_by(Job.id.desc()).limit(1))


def _superseded(dataset_id: int, kept: int) -> Select[ModelVersion]:
    newest = select(ModelVersion.id).where(ModelVersion.dataset_id == dataset_id)
    newest = newest.order_by(ModelVersion.number.desc()).limit(kept)
    return select(ModelVersion).where(
        ModelVersion.dataset_id == dataset_id,
        ModelVersion.predictions_removed_at.is_(None),
        ModelVersion.id.not_in(newest),
        ~exists().where(Alias.model_version_id == ModelVersion.id),
    )
