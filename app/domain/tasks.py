"""Declared tasks of a dataset."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, ModelVersion, TaskRow
from app.db.types import utc_now
from app.domain import datasets
from app.errors import FieldError, Invalid, NotFound, PreconditionFailed
from model.errors import InvalidTask
from model.tasks import Suggestion, Task, TaskDeclaration, check_tasks, suggest


def put_task(
    session: Session,
    dataset: Dataset,
    name: str,
    declaration: TaskDeclaration,
    if_match: str | None = None,
) -> tuple[TaskRow, bool]:
    """Declare a task, or declare it anew; the second answer says whether it is a new one.

    The dataset must be locked, so that of two changes with the same If-Match one is refused.

    Raises:
        Invalid: The dataset's log cannot give its labels.
        PreconditionFailed: `if_match` names another state than the task's.
    """
    row = _find(session, dataset, name)
    _check_precondition(row, name, if_match)
    _check(session, dataset, Task(name=name, **dict(declaration)))
    document = declaration.model_dump(mode="json")
    if row is None:
        row = TaskRow(dataset_id=dataset.id, name=name, declaration=document)
        session.add(row)
        session.flush()
        return row, True
    if row.declaration != document:
        row.declaration = document
        row.revision += 1
        row.updated_at = utc_now()
        session.flush()
    return row, False


def get_task(session: Session, dataset: Dataset, name: str) -> TaskRow:
    """One declared task.

    Raises:
        NotFound: The dataset has none of this name; the message says which it has.
    """
    row = _find(session, dataset, name)
    if row is None:
        known = ", ".join(task.name for task in all_tasks(session, dataset))
        there_are = f"there are {known}" if known else "none is declared yet"
        raise NotFound(
            f"no task {name!r} in dataset {dataset.name!r}; {there_are}", code="task_not_found"
        )
    return row


def delete_task(session: Session, dataset: Dataset, name: str, if_match: str | None = None) -> None:
    """Forget a task of a locked dataset; models that were trained on it keep it.

    Raises:
        NotFound: The dataset has none of this name.
        PreconditionFailed: `if_match` names another state than the task's.
    """
    row = get_task(session, dataset, name)
    _check_precondition(row, name, if_match)
    session.delete(row)
    session.flush()


def all_tasks(session: Session, dataset: Dataset) -> list[TaskRow]:
    """All declared tasks, by name."""
    statement = select(TaskRow).where(TaskRow.dataset_id == dataset.id).order_by(TaskRow.name)
    return list(session.scalars(statement))


def list_tasks(session: Session, dataset: Dataset, after: str | None, limit: int) -> list[TaskRow]:
    """Tasks by name, one more than `limit` if there are more."""
    statement = select(TaskRow).where(TaskRow.dataset_id == dataset.id).order_by(TaskRow.name)
    if after is not None:
        statement = statement.where(TaskRow.name > after)
    return list(session.scalars(statement.limit(limit + 1)))


def suggest_tasks(session: Session, dataset: Dataset) -> list[Suggestion]:
    """Good tasks for this dataset; none while it has no events."""
    log = datasets.profile_dataset(session, dataset).log
    return [] if log is None else suggest(log)


def learned_values(session: Session, dataset: Dataset) -> dict[str, list[Task]]:
    """The tasks that the newest model has in place of each one with `for_each`, by its name."""
    newest = select(ModelVersion.tasks).where(ModelVersion.dataset_id == dataset.id)
    trained = session.scalar(newest.order_by(ModelVersion.number.desc()).limit(1))
    found: dict[str, list[Task]] = {}
    for document in trained or ():
        task = Task.model_validate(document)
        if task.declared_as is not None:
            found.setdefault(task.declared_as, []).append(task)
    return found


def task_of(row: TaskRow) -> Task:
    """The task as the model takes it."""
    return Task(name=row.name, **dict(TaskDeclaration.model_validate(row.declaration)))


def etag_of(row: TaskRow) -> str:
    """Changes whenever the task does, also when it was deleted and declared anew."""
    state = f"{row.id} {row.revision} {row.updated_at.isoformat()}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:20]}"'


def _find(session: Session, dataset: Dataset, name: str) -> TaskRow | None:
    return session.scalar(
        select(TaskRow).where(TaskRow.dataset_id == dataset.id, TaskRow.name == name)
    )


def _check(session: Session, dataset: Dataset, task: Task) -> None:
    log = datasets.profile_dataset(session, dataset).log
    if log is None:
        return  # the log comes later; training checks again
    try:
        check_tasks([task], log)
    except InvalidTask as error:
        raise Invalid(
            str(error), code=error.code, errors=(FieldError("/body", str(error), error.code),)
        ) from error


def _check_precondition(row: TaskRow | None, name: str, if_match: str | None) -> None:
    if if_match is None:
        return
    wanted = {tag.strip() for tag in if_match.split(",")}
    if row is None:
        raise PreconditionFailed(f"there is no task {name!r}, so nothing matches If-Match")
    if "*" not in wanted and etag_of(row) not in wanted:
        raise PreconditionFailed(
            f"task {name!r} was changed meanwhile: it is at {etag_of(row)}; read it again"
        )
