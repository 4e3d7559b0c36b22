"""Training jobs: what is asked for when one is submitted, and how they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job, JobEvent
from app.domain.datasets import profile_dataset
from app.domain.tasks import all_tasks, task_of
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.jobs.cancel import cancel
from app.jobs.events import events_after
from app.jobs.states import TERMINAL
from app.jobs.submit import NewJob, submit, submitted_before
from model.config import Config
from model.errors import InvalidTask
from model.tasks import LogProfile, Task, check_tasks

KIND = "training"

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
"""From the least to the most serious."""


@dataclass(frozen=True)
class TrainingRequest:
    """What the client asks for; without `task_names` all declared tasks are trained."""

    task_names: tuple[str, ...] | None
    seed: int
    config: Config
    priority: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tasks": None if self.task_names is None else list(self.task_names),
            "seed": self.seed,
            "config": self.config.model_dump(mode="json"),
            "priority": self.priority,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TrainingRequest:
        """The request of which this is the `document`."""
        names = document["tasks"]
        return cls(
            task_names=None if names is None else tuple(names),
            seed=document["seed"],
            config=Config.model_validate(document["config"]),
            priority=document.get("priority", 0),
        )


@dataclass(frozen=True)
class TrainingJob:
    """A job and the name of its dataset."""

    job: Job
    dataset_name: str


def submit_training(
    session: Session,
    dataset: Dataset,
    request: TrainingRequest,
    idempotency_key: str | None = None,
    *,
    schedule: str | None = None,
) -> TrainingJob:
    """Queue a training of the tasks as they are declared now; `schedule` says what made it.

    The dataset must be locked, so that it is not deleted meanwhile.

    Raises:
        Conflict: The dataset has no events, or no tasks.
        Invalid: A named task is not declared, the log cannot give a task's labels, or the key was
            used for another request.
    """
    new = NewJob(KIND, dataset.id, arguments={}, request=request.document)
    # First of all: the answer to a repeated request does not depend on what has changed since.
    job = submitted_before(session, idempotency_key, new.fingerprint)
    if job is None:
        log = _log_profile(session, dataset)
        chosen = _choose(session, dataset, request.task_names)
        _check(chosen, log)
        arguments = {
            **request.document,
            "tasks": [task.model_dump(mode="json") for task in chosen],
            "dataset_revision": dataset.revision,
        }
        new = replace(new, arguments=arguments, priority=request.priority, schedule=schedule)
        job = submit(session, new, idempotency_key=idempotency_key)
    return TrainingJob(job, dataset.name)


def get_training_job(session: Session, job_id: str) -> TrainingJob:
    """The job with this id.

    Raises:
        NotFound: There is no such training job.
    """
    row = session.execute(_every().where(Job.id == job_id)).one_or_none()
    if row is None:
        raise NotFound(
            f"no training job {job_id!r}; GET /v1/training-jobs lists them",
            code="training_job_not_found",
        )
    return TrainingJob(*row)


def list_training_jobs(
    session: Session,
    *,
    dataset: Dataset | None,
    states: Sequence[str],
    before: str | None,
    limit: int,
) -> list[TrainingJob]:
    """Jobs older than the id `before`, the newest first, one more than `limit` if there are more.

    Without a dataset those of all, without states those in any.
    """
    query = _every()
    if dataset is not None:
        query = query.where(Job.dataset_id == dataset.id)
    if states:
        query = query.where(Job.state.in_(states))
    if before is not None:
        query = query.where(Job.id < before)
    rows = session.execute(query.order_by(Job.id.desc()).limit(limit + 1))
    return [TrainingJob(*row) for row in rows]


def cancel_training_job(session: Session, job_id: str) -> TrainingJob:
    """Ask a job to stop.

    Raises:
        NotFound: There is no such training job.
        Conflict: It has succeeded or failed.
    """
    found = get_training_job(session, job_id)
    return TrainingJob(cancel(session, job_id), found.dataset_name)


def job_history(session: Session, job_id: str, *, after: int, limit: int) -> Sequence[JobEvent]:
    """What happened to the job after the event with this id (0: from the start), oldest first."""
    return events_after(session, job_id, after, limit=limit)


def has_ended(session: Session, job_id: str) -> bool:
    """Whether nothing will happen to the job any more."""
    state = session.scalar(select(Job.state).where(Job.id == job_id))
    return state is None or state in TERMINAL


def is_told(session: Session, job_id: str, event_id: int) -> bool:
    """Whether nothing follows this event of the job's history, now and ever."""
    return has_ended(session, job_id) and not events_after(session, job_id, event_id, limit=1)


def job_log(
    session: Session, job_id: str, *, after: int, limit: int, level: LogLevel
) -> Sequence[JobEvent]:
    """Lines of the job's log of this level and above, after the event with this id."""
    levels = LOG_LEVELS[LOG_LEVELS.index(level) :]
    query = select(JobEvent).where(
        JobEvent.job_id == job_id,
        JobEvent.id > after,
        JobEvent.kind == "log",
        JobEvent.data["level"].as_string().in_(levels),
    )
    return session.scalars(query.order_by(JobEvent.id).limit(limit)).all()


def _every() -> Select[Job, str]:
    query = select(Job, Dataset.name).join(Dataset, Dataset.id == Job.dataset_id)
    return query.where(Job.kind == KIND)


def _log_profile(session: Session, dataset: Dataset) -> LogProfile:
    log = profile_dataset(session, dataset).log
    if log is None:
        raise Conflict(
            f"dataset {dataset.name!r} has no events to learn from: "
            f"POST /v1/datasets/{dataset.name}/imports?table=events first",
            code="no_events",
        )
    return log


def _choose(session: Session, dataset: Dataset, names: Sequence[str] | None) -> list[Task]:
    declared = {row.name: task_of(row) for row in all_tasks(session, dataset)}
    if not declared:
        raise Conflict(
            f"dataset {dataset.name!r} has no tasks: PUT /v1/datasets/{dataset.name}/tasks/<name> "
            f"declares one, GET /v1/datasets/{dataset.name}/task-suggestions proposes some",
            code="no_tasks",
        )
    chosen = list(declared) if names is None else list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in declared]
    if unknown:
        raise Invalid(
            f"dataset {dataset.name!r} has no task {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(declared)}",
            code="task_not_found",
            errors=tuple(_task_error(f"no task {name!r}", "task_not_found") for name in unknown),
        )
    return [declared[name] for name in chosen]


def _check(chosen: Sequence[Task], log: LogProfile) -> None:
    try:
        check_tasks(chosen, log)
    except InvalidTask as error:
        raise Invalid(
            str(error), code=error.code, errors=(_task_error(str(error), error.code),)
        ) from error


def _task_error(detail: str, code: str) -> FieldError:
    return FieldError("/body/tasks", detail, code)
