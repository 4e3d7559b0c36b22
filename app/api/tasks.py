"""Prediction tasks over HTTP: declare, look, forget, and get good ones suggested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, Field

from app.api.dependencies import DatasetName, IfMatch, ReadSession, TaskName, WriteSession
from app.api.pagination import Page, Pagination
from app.db.tables import TaskRow
from app.domain import datasets, tasks
from model.tasks import Task, TaskDeclaration

router = APIRouter(tags=["tasks"], prefix="/datasets/{dataset}")

NewTaskName = Annotated[
    str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="a word of a-z, 0-9 and _")
]
_ETAG = {"ETag": {"description": "for If-Match", "schema": {"type": "string"}}}
_EXAMPLES = {
    "buys": {
        "summary": "Will the user buy within 30 days?",
        "value": {
            "entity": "user",
            "target": {"kind": "occurs", "event_type": "purchase"},
            "horizon_days": 30,
        },
    },
    "best month": {
        "summary": "In which month will the item sell best?",
        "value": {
            "entity": "item",
            "target": {
                "kind": "peak_period",
                "event_type": "purchase",
                "period": "month_of_year",
            },
        },
    },
    "days to": {
        "summary": "How many days until the next purchase of shoes, asked of recent visitors?",
        "value": {
            "entity": "user",
            "target": {
                "kind": "time_to",
                "event_type": "purchase",
                "where": [{"attribute": "item.category", "value": "shoes"}],
            },
            "horizon_days": 60,
            "eligible": [{"within_days": 90, "at_least": 2}],
        },
    },
    "next": {
        "summary": "Of which category is the user's next purchase?",
        "value": {
            "entity": "user",
            "target": {"kind": "next", "of": "item.category", "event_type": "purchase"},
            "horizon_days": 30,
        },
    },
    "each": {
        "summary": "Spend in each category, from the second week on",
        "value": {
            "entity": "user",
            "target": {"kind": "sum", "event_type": "purchase"},
            "horizon_days": 28,
            "start_days": 7,
            "for_each": "item.category",
        },
    },
    "column": {
        "summary": "Which rating does the user give the item?",
        "value": {"entity": "pair", "target": {"kind": "column", "column": "rating"}},
    },
}


class TaskOfValue(BaseModel):
    """What a model has learned for one value of a `for_each`; predictions are asked by its name."""

    name: str = Field(examples=["spend__shoes"])
    value: str = Field(examples=["shoes"])


class DeclaredTask(TaskDeclaration):
    """A task of a dataset."""

    name: str = Field(examples=["buys_30d"])
    learned_values: list[TaskOfValue] | None = Field(
        default=None,
        description="of a task with `for_each`: what the newest model has learned; null before any",
    )
    revision: int
    created_at: datetime
    updated_at: datetime


class TaskSuggestion(BaseModel):
    """A task that fits the log, and what it is good for; PUT `declaration` to its `name`."""

    name: str
    why: str
    declaration: TaskDeclaration


class TaskSuggestions(BaseModel):
    """Suggested tasks; none while the dataset has no events, or less than four days of them."""

    items: list[TaskSuggestion]


def _declared(row: TaskRow, learned: Mapping[str, Sequence[Task]]) -> DeclaredTask:
    values = [
        TaskOfValue(name=task.name, value=task.for_each_value)
        for task in learned.get(row.name, ())
        if task.for_each_value is not None
    ]
    task = tasks.task_of(row)
    return DeclaredTask(
        **dict(task.declaration),
        name=task.name,
        learned_values=values or None,
        revision=row.revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


@router.put(
    "/tasks/{task}",
    operation_id="putTask",
    summary="Declare a task",
    responses={
        200: {"headers": _ETAG, "description": "It was declared before"},
        201: {"headers": _ETAG, "model": DeclaredTask, "description": "It is new"},
    },
)
def put_task(
    session: WriteSession,
    response: Response,
    dataset: DatasetName,
    task: NewTaskName,
    body: Annotated[TaskDeclaration, Body(openapi_examples=_EXAMPLES)],
    if_match: IfMatch = None,
) -> DeclaredTask:
    """Declare a task, or change it. Its event type and horizon are checked against the log."""
    found = datasets.get_dataset(session, dataset, lock=True)
    row, is_new = tasks.put_task(session, found, task, body, if_match)
    response.status_code = 201 if is_new else 200
    response.headers["ETag"] = tasks.etag_of(row)
    return _declared(row, tasks.learned_values(session, found))


@router.get(
    "/tasks/{task}",
    operation_id="getTask",
    summary="A declared task",
    responses={200: {"headers": _ETAG}},
)
def get_task(
    session: ReadSession, response: Response, dataset: DatasetName, task: TaskName
) -> DeclaredTask:
    """One declared task; its `ETag` is for `If-Match`."""
    found = datasets.get_dataset(session, dataset)
    row = tasks.get_task(session, found, task)
    response.headers["ETag"] = tasks.etag_of(row)
    return _declared(row, tasks.learned_values(session, found))


@router.delete("/tasks/{task}", status_code=204, operation_id="deleteTask", summary="Forget a task")
def delete_task(
    session: WriteSession, dataset: DatasetName, task: TaskName, if_match: IfMatch = None
) -> None:
    """Forget a task. Models that were trained on it keep it."""
    found = datasets.get_dataset(session, dataset, lock=True)
    tasks.delete_task(session, found, task, if_match)


@router.get("/tasks", operation_id="listTasks", summary="Declared tasks by name")
def list_tasks(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[DeclaredTask]:
    """The declared tasks of a dataset."""
    found = datasets.get_dataset(session, dataset)
    rows = tasks.list_tasks(session, found, pagination.after_str(), pagination.limit)
    learned = tasks.learned_values(session, found)
    return pagination.page(rows, lambda row: _declared(row, learned), lambda row: [row.name])


@router.get(
    "/task-suggestions",
    operation_id="listTaskSuggestions",
    summary="Good tasks for this dataset",
)
def list_task_suggestions(session: ReadSession, dataset: DatasetName) -> TaskSuggestions:
    """A default set of tasks from the log's own event types and length."""
    found = datasets.get_dataset(session, dataset)
    return TaskSuggestions(
        items=[
            TaskSuggestion(
                name=suggestion.task.name,
                why=suggestion.why,
                declaration=suggestion.task.declaration,
            )
            for suggestion in tasks.suggest_tasks(session, found)
        ]
    )
