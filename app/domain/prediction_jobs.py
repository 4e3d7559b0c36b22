"""Prediction jobs: score many entities in the background into a prediction set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job, ModelVersion, Part
from app.db.types import utc_now
from app.domain.aliases import find_version
from app.domain.model_versions import trained_tasks
from app.domain.prediction_sets import FoundSet, set_of_job
from app.domain.predictions import choose_tasks
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.jobs.cancel import cancel
from app.jobs.states import JobState
from app.jobs.submit import NewJob, submit, submitted_before
from model.tasks import EntityKind, Task

KIND = "prediction"


@dataclass(frozen=True)
class PredictionJobRequest:
    """What the client asks for.

    Attributes:
        version: number of a model version, or an alias.
        task_names: None for all tasks of the version that are for whom is asked.
        users: ids; None for all, unless `items` are given.
        items: ids; None for all, unless `users` are given.
        active_within_days: only who had an event in so many days before.
        as_of: None for the dataset's own clock.
    """

    version: str
    task_names: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    items: tuple[str, ...] | None = None
    active_within_days: float | None = None
    as_of: datetime | None = None

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "version": self.version,
            "tasks": _as_list(self.task_names),
            "users": _as_list(self.users),
            "items": _as_list(self.items),
            "active_within_days": self.active_within_days,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
        }

    @property
    def is_listed(self) -> bool:
        """Whether it is for named entities alone, so that no ranking can be made of it."""
        return self.users is not None or self.items is not None

    @property
    def kinds(self) -> set[EntityKind]:
        """What it can be asked about; pairs are those of the users."""
        if not self.is_listed:
            return {"user", "item", "pair"}
        found: set[EntityKind] = set()
        if self.users is not None:
            found |= {"user", "pair"}
        if self.items is not None:
            found |= {"item"}
        return found


@dataclass(frozen=True)
class PredictionJob:
    """A job and the name of its dataset."""

    job: Job
    dataset_name: str


def submit_prediction_job(
    session: Session,
    dataset: Dataset,
    request: PredictionJobRequest,
    idempotency_key: str | None = None,
) -> PredictionJob:
    """Queue a scoring by the version that the alias points to now, as of the moment asked.

    The dataset must be locked, so that it is not deleted meanwhile.

    Raises:
        NotFound: there is no such version, alias or task.
        NotTrained: no version is trained yet.
        Invalid: what is asked makes no sense, or the key was used for another request.
    """
    new = NewJob(KIND, dataset.id, arguments={}, request=request.document)
    # First of all: the answer to a repeated request does not depend on what has changed since.
    job = submitted_before(session, idempotency_key, new.fingerprint)
    if job is None:
        version = find_version(session, dataset, request.version, request.task_names or ())
        arguments = {
            **request.document,
            "version": version.number,
            "tasks": [task.name for task in _choose(session, dataset, version, request)],
            "as_of": _moment(session, dataset, version, request).isoformat(),
            "dataset_revision": dataset.revision,
        }
        new = NewJob(KIND, dataset.id, arguments, new.request)
        job = submit(session, new, idempotency_key=idempotency_key)
    return PredictionJob(job, dataset.name)


def get_prediction_job(session: Session, dataset: Dataset, job_id: str) -> PredictionJob:
    """The job with this id.

    Raises:
        NotFound: the dataset has no such prediction job.
    """
    job = session.scalar(_of(dataset).where(Job.id == job_id))
    if job is None:
        raise NotFound(
            f"no prediction job {job_id!r} of dataset {dataset.name!r}; "
            f"GET /v1/datasets/{dataset.name}/prediction-jobs lists them",
            code="prediction_job_not_found",
        )
    return PredictionJob(job, dataset.name)


def list_prediction_jobs(
    session: Session, dataset: Dataset, *, states: Sequence[str], before: str | None, limit: int
) -> list[PredictionJob]:
    """Jobs older than the id `before`, the newest first, one more than `limit` if any."""
    query = _of(dataset)
    if states:
        query = query.where(Job.state.in_(states))
    if before is not None:
        query = query.where(Job.id < before)
    jobs = session.scalars(query.order_by(Job.id.desc()).limit(limit + 1))
    return [PredictionJob(job, dataset.name) for job in jobs]


def cancel_prediction_job(session: Session, dataset: Dataset, job_id: str) -> PredictionJob:
    """Ask a job to stop.

    Raises:
        NotFound: the dataset has no such prediction job.
        Conflict: it has succeeded or failed.
    """
    get_prediction_job(session, dataset, job_id)
    return PredictionJob(cancel(session, job_id), dataset.name)


def set_of(session: Session, dataset: Dataset, found: PredictionJob) -> FoundSet:
    """What the job has stored.

    Raises:
        Conflict: it has not succeeded, and what to do about that.
        NotFound: what it has stored was removed meanwhile.
    """
    job = found.job
    if job.state != JobState.SUCCEEDED:
        way_out = "wait for its end" if job.finished_at is None else "submit another one"
        raise Conflict(
            f"prediction job {job.id} is {job.state}, so that there is nothing to export: "
            f"{way_out}",
            code="prediction_job_not_succeeded",
        )
    stored = set_of_job(session, dataset, job.id)
    if stored is None:
        raise NotFound(
            f"what prediction job {job.id} had stored was removed: submit another one",
            code="prediction_set_not_found",
        )
    return stored


def dataset_clock(session: Session, dataset: Dataset) -> datetime | None:
    """Up to when the dataset knows everything, in whole seconds; None if events have no times."""
    newest = select(func.max(Part.last_at))
    last_at = session.scalar(newest.where(Part.dataset_id == dataset.id, Part.table == "events"))
    if last_at is None:
        return None
    # Cutoffs are whole seconds: rounded up, so that the newest event is looked at.
    return last_at.replace(microsecond=0) + timedelta(seconds=last_at.microsecond > 0)


def _of(dataset: Dataset) -> Select[Job]:
    return select(Job).where(Job.kind == KIND, Job.dataset_id == dataset.id)


def _choose(
    session: Session, dataset: Dataset, version: ModelVersion, request: PredictionJobRequest
) -> list[Task]:
    if request.task_names is None:
        tasks = [t for t in trained_tasks(version).values() if t.entity in request.kinds]
        if not tasks:
            raise _invalid(
                "/body",
                f"model version {version.number} has no task for whom you list: list users for its "
                "tasks about users and pairs, items for those about items",
            )
    else:
        names = list(dict.fromkeys(request.task_names))
        tasks = choose_tasks(session, dataset, version, names)
        for task in tasks:
            if task.entity not in request.kinds:
                whom = "items" if task.entity == "item" else "users"
                raise _invalid(
                    f"/body/tasks/{request.task_names.index(task.name)}",
                    f"task {task.name!r} is for {task.entity}s: list some in `{whom}`, or list "
                    "nobody to answer for all",
                )
    asked = {task.entity for task in tasks}
    if request.users is not None and not asked & {"user", "pair"}:
        raise _invalid("/body/users", "no task for users or pairs is asked: leave `users` out")
    if request.items is not None and "item" not in asked:
        raise _invalid("/body/items", "no task for items is asked: leave `items` out")
    return tasks


def _moment(
    session: Session, dataset: Dataset, version: ModelVersion, request: PredictionJobRequest
) -> datetime:
    clock = dataset_clock(session, dataset)
    if clock is None:
        if request.as_of is not None or request.active_within_days is not None:
            which = "as_of" if request.as_of is not None else "active_within_days"
            raise _invalid(
                f"/body/{which}", f"the events of {dataset.name!r} have no times: leave it out"
            )
        return version.cutoff_at
    if request.as_of is None:
        return max(clock, version.cutoff_at)
    if request.as_of < version.cutoff_at:
        raise _invalid(
            "/body/as_of",
            f"{request.as_of.isoformat()} is before {version.cutoff_at.isoformat()}, up to when "
            f"model version {version.number} has learned: ask as of then or later",
        )
    latest = max(clock, version.cutoff_at, utc_now())
    if request.as_of > latest:
        raise _invalid(
            "/body/as_of",
            f"{request.as_of.isoformat()} has not come yet: ask as of {latest.isoformat()} or "
            "before",
        )
    return request.as_of


def _as_list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail, "invalid"),))
