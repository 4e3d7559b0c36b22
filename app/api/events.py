"""Events over HTTP, a few at a time: stored when answered, known to the next prediction."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.dependencies import (
    AppSettings,
    DatasetName,
    IdempotencyKey,
    Predictors,
    SessionFactory,
)
from app.api.imports import RejectedRow
from app.api.posting_events import BatchOrder, EventPoster
from app.db.tables import EventBatch
from app.domain.event_batches import MOST_EVENTS
from app.domain.idempotency import fingerprint_of
from app.ingest.staging import OnError, Policy

router = APIRouter(tags=["events"], prefix="/datasets/{dataset}/events")

BATCHES_AT_ONCE = 4
"""In one process."""

Event = Annotated[
    dict[str, Any],
    Field(description="an event in the columns of the dataset's mapping, as in an import"),
]
Events = Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]

_EXAMPLE = [
    {
        "user_id": "u00001",
        "item_id": "i00003",
        "time": "2024-05-31T18:30:00Z",
        "event_type": "view",
    }
]


class EventList(BaseModel):
    """The same with a name."""

    model_config = ConfigDict(extra="forbid")

    events: Events


class EventBatchReport(BaseModel):
    """What became of a batch's events: read = accepted + duplicate + rejected."""

    id: int
    dataset: str
    on_error: OnError
    rows_read: int
    rows_accepted: int
    rows_duplicate: int
    rows_rejected: int
    rejections_by_code: dict[str, int] = Field(examples=[{"not_a_time": 2}])
    rejections: list[RejectedRow] = Field(description="the first 100; `row` counts from 1")
    notes: list[str]
    created_at: datetime


@router.post(
    "",
    status_code=201,
    operation_id="postEvents",
    summary="Post up to 1,000 events",
    responses={
        201: {
            "headers": {
                "Idempotent-Replayed": {
                    "description": "`true` if the same request made it earlier",
                    "schema": {"type": "string"},
                }
            }
        }
    },
)
async def post_events(
    request: Request,
    response: Response,
    settings: AppSettings,
    factory: SessionFactory,
    predicting: Predictors,
    dataset: DatasetName,
    body: Annotated[Events | EventList, Body(examples=[_EXAMPLE, {"events": _EXAMPLE}])],
    on_error: Annotated[
        OnError, Query(description="`abort`: one bad event and nothing is stored")
    ] = "abort",
    idempotency_key: IdempotencyKey = None,
) -> EventBatchReport:
    """Events as they happen, as JSON. They are checked, mapped and deduplicated like those of an
    import: by their `event_id`, or when all of their columns are equal.

    What is answered is stored, and is known to every later prediction of this process; of other
    processes within a tenth of a second. In the background batches become a part like that of an
    import, and an import of the format `json` says so.
    """
    events = body.events if isinstance(body, EventList) else body
    order = BatchOrder(
        dataset=dataset,
        events=events,
        policy=Policy(on_error),
        key=idempotency_key,
        fingerprint=fingerprint_of(on_error, events),
    )
    poster = EventPoster(factory, settings.data_dir, predicting.serving)
    slots: CapacityLimiter = request.app.state.event_slots
    row, is_new = await to_thread.run_sync(poster.run, order, limiter=slots)
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return _report(row, dataset)


def _report(row: EventBatch, dataset: str) -> EventBatchReport:
    names = [name for name in EventBatchReport.model_fields if name != "dataset"]
    return EventBatchReport(dataset=dataset, **{name: getattr(row, name) for name in names})
