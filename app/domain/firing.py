"""Do what schedules say: make the training jobs that are due.

Several workers may look at once. A job is made with its schedule locked and looked at again, in the
transaction that moves the schedule on, and under an idempotency key of its own: twice is once.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Import, Job, Part, Schedule
from app.domain.cron import next_time
from app.domain.schedules import zone_of
from app.domain.training_jobs import KIND, TrainingRequest, submit_training
from app.errors import ServiceError
from app.jobs.clock import database_now
from app.jobs.states import TERMINAL


def due_schedules(session: Session) -> list[int]:
    """Ids of the schedules that `fire` should be called for; locks nothing."""
    ready = select(Schedule).where(Schedule.enabled, ~_has_open_job()).order_by(Schedule.id)
    now = database_now(session)
    return [row.id for row in session.scalars(ready) if _is_due(session, row, now)]


def fire(session: Session, schedule_id: int) -> Schedule | None:
    """Make the job that a schedule asks for now, if it still does.

    However often it was due since it ran last, it runs once; while its last job is queued or
    running it waits. What hinders a job (e.g. no task is declared) is kept in `last_error`.

    Returns:
        The schedule if it was due, else None.
    """
    found = _lock(session, schedule_id)
    if found is None:
        return None
    schedule, dataset = found
    now = database_now(session)
    if not _is_due(session, schedule, now):
        return None
    # No header can hold this arrow, so that no client has such a key.
    occasion = schedule.next_run_at or f"revision {dataset.revision}"
    _submit(session, schedule, dataset, f"schedule → {schedule.id} → {occasion}", now)
    if schedule.cron is not None:
        schedule.next_run_at = next_time(schedule.cron, zone_of(schedule, dataset), now)
    session.flush()
    return schedule


def new_events(session: Session, dataset_id: int) -> int:
    """How many events have come since the last training of the dataset, however that ended."""
    rows = select(func.sum(Part.rows)).join(Import, Import.id == Part.import_id)
    new = Import.dataset_revision > _trained_revision(session, dataset_id)
    total = session.scalar(rows.where(Part.dataset_id == dataset_id, Part.table == "events", new))
    return int(total or 0)


def _submit(
    session: Session, schedule: Schedule, dataset: Dataset, key: str, now: datetime
) -> None:
    request = TrainingRequest.from_document(schedule.training)
    try:
        with session.begin_nested():
            made = submit_training(session, dataset, request, key, schedule=schedule.name)
    except ServiceError as error:
        told = {"code": error.code, "message": error.detail}
        before = schedule.last_error or {}
        if told != {name: before.get(name) for name in told}:
            schedule.last_error = {**told, "at": now.isoformat()}
        return
    schedule.last_run_at, schedule.last_job_id, schedule.last_error = now, made.job.id, None


def _lock(session: Session, schedule_id: int) -> tuple[Schedule, Dataset] | None:
    """The schedule and its dataset, read anew; the dataset first, as whoever changes it does."""
    seen = session.get(Schedule, schedule_id)
    if seen is None:
        return None
    dataset = session.scalar(
        select(Dataset).where(Dataset.id == seen.dataset_id).with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    )
    schedule = session.scalar(
        select(Schedule).where(Schedule.id == schedule_id).with_for_update(),
        execution_options={"populate_existing": True},
    )
    return None if dataset is None or schedule is None else (schedule, dataset)


def _is_due(session: Session, schedule: Schedule, now: datetime) -> bool:
    waits = select(exists().where(Schedule.id == schedule.id, _has_open_job()))
    if not schedule.enabled or session.scalar(waits):
        return False
    if schedule.next_run_at is not None:
        return schedule.next_run_at <= now
    wanted = schedule.after_new_events
    return wanted is not None and new_events(session, schedule.dataset_id) >= wanted


def _has_open_job() -> ColumnElement[bool]:
    own = (Job.dataset_id == Schedule.dataset_id, Job.schedule == Schedule.name)
    return exists().where(*own, Job.state.not_in(TERMINAL)).correlate(Schedule)


def _trained_revision(session: Session, dataset_id: int) -> int:
    submitted = select(Job.arguments).where(Job.dataset_id == dataset_id, Job.kind == KIND)
    arguments = session.scalar(submitted.order_by(Job.id.desc()).limit(1)) or {}
    return int(arguments.get("dataset_revision", 0))
