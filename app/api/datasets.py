"""Datasets over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer

from app.api.dependencies import (
    AppSettings,
    DatasetName,
    IdempotencyKey,
    Predictors,
    ReadSession,
    SessionFactory,
    WriteSession,
)
from app.api.pagination import Page, Pagination
from app.db.engine import transaction
from app.db.tables import Dataset
from app.domain import datasets
from app.domain.datasets import DatasetProfile
from app.domain.idempotency import IdempotentRequest, fingerprint_of
from app.ingest.mapping import EntityMapping, EventMapping, Mapping
from model.tasks import ColumnKind

router = APIRouter(tags=["datasets"], prefix="/datasets")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{name!r} is no IANA time zone, e.g. Europe/London") from error
    return name


class NewDataset(BaseModel):
    """A dataset to be made. All of the mapping may be left out for files with the default names
    `user_id`, `item_id`, `time`, `event_type`, `quantity`, `price`, `value`, `event_id`, or for
    `用户ID`, `商品ID`, `时间` and the like.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "my-shop",
                    "time_zone": "Europe/London",
                    "events": {
                        "columns": {
                            "user": "Customer ID",
                            "item": "StockCode",
                            "time": "InvoiceDate",
                            "quantity": "Quantity",
                            "price": "Price",
                        },
                        "default_event_type": "purchase",
                        "rules": [
                            {"column": "Quantity", "op": "<", "value": 0, "event_type": "return"}
                        ],
                    },
                }
            ]
        },
    )

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["my-shop"])
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="UTC",
        description="IANA name; times without an offset are in it, and so are months and weekdays",
        examples=["Europe/London"],
    )
    events: EventMapping = EventMapping()
    users: EntityMapping = EntityMapping()
    items: EntityMapping = EntityMapping()

    @property
    def mapping(self) -> Mapping:
        """The three mappings in one."""
        return Mapping(events=self.events, users=self.users, items=self.items)


class DatasetSummary(BaseModel):
    """A dataset; `revision` grows with each import."""

    name: str
    time_zone: str
    revision: int
    created_at: datetime


class TableRows(BaseModel):
    """Rows per table; of users and items the newest row of each."""

    events: int
    users: int
    items: int


class DatasetReport(DatasetSummary):
    """A dataset with its mapping and a profile of what it holds."""

    rows: TableRows = Field(description="in parts")
    tail_events: int = Field(
        description="events that were posted and are in no part yet; the other numbers do not "
        "count them, predictions do"
    )
    users: int = Field(description="distinct users in events and table together")
    items: int = Field(description="distinct items in events and table together")
    event_types: dict[str, int] = Field(examples=[{"view": 900, "purchase": 100}])
    columns: dict[str, ColumnKind] = Field(
        description="the further columns of the events", examples=[{"rating": "number"}]
    )
    has_time: bool | None = Field(
        description="whether events have times, which the first import decides; null before it"
    )
    first_at: datetime | None
    last_at: datetime | None
    span_days: float | None
    bytes: int = Field(description="of the stored parts")
    mapping: Mapping = Field(description="as it was given")

    @field_serializer("mapping")
    def _as_given(self, mapping: Mapping) -> dict[str, Any]:
        # What was left out means "the default names", which is not the same as null.
        return mapping.model_dump(mode="json", exclude_unset=True)


def _summary(row: Dataset) -> DatasetSummary:
    return DatasetSummary(
        name=row.name, time_zone=row.time_zone, revision=row.revision, created_at=row.created_at
    )


def _report(row: Dataset, profile: DatasetProfile) -> DatasetReport:
    log = profile.log
    return DatasetReport(
        **dict(_summary(row)),
        rows=TableRows(events=profile.event_rows, users=profile.user_rows, items=profile.item_rows),
        tail_events=profile.tail_events,
        users=profile.users,
        items=profile.items,
        event_types=profile.event_types,
        columns=profile.columns,
        has_time=None if log is None else log.has_time,
        first_at=profile.first_at,
        last_at=profile.last_at,
        span_days=log.span_days if log is not None and log.has_time else None,
        bytes=profile.bytes,
        mapping=datasets.mapping_of(row),
    )


@router.post(
    "",
    status_code=201,
    operation_id="createDataset",
    summary="Make a dataset",
    responses={
        201: {
            "headers": {
                "Location": {"description": "where it is", "schema": {"type": "string"}},
            }
        }
    },
)
def create_dataset(
    session: WriteSession,
    response: Response,
    body: NewDataset,
    idempotency_key: IdempotencyKey = None,
) -> DatasetReport:
    """Make an empty dataset that knows which column of its uploads means what."""
    request = None
    if idempotency_key is not None:
        fingerprint = fingerprint_of(body.model_dump(mode="json"))
        request = IdempotentRequest(datasets.CREATE, idempotency_key, fingerprint)
    row, is_new = datasets.create_dataset(session, body.name, body.time_zone, body.mapping, request)
    response.headers["Location"] = f"/v1/datasets/{row.name}"
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return _report(row, datasets.profile_dataset(session, row))


@router.get("", operation_id="listDatasets", summary="Datasets by name")
def list_datasets(session: ReadSession, pagination: Pagination) -> Page[DatasetSummary]:
    """All datasets."""
    rows = datasets.list_datasets(session, pagination.after_str(), pagination.limit)
    return pagination.page(rows, _summary, lambda row: [row.name])


@router.get("/{dataset}", operation_id="getDataset", summary="A dataset and its profile")
def get_dataset(session: ReadSession, dataset: DatasetName) -> DatasetReport:
    """What a dataset holds: rows, users, items, event types, span."""
    row = datasets.get_dataset(session, dataset)
    return _report(row, datasets.profile_dataset(session, row))


@router.delete(
    "/{dataset}", status_code=204, operation_id="deleteDataset", summary="Delete a dataset"
)
def delete_dataset(
    factory: SessionFactory, settings: AppSettings, predicting: Predictors, dataset: DatasetName
) -> None:
    """Delete a dataset with all that belongs to it: events, tasks, jobs, models, predictions.

    Refused while one of its jobs is queued or running.
    """
    with transaction(factory) as session:
        paths = datasets.delete_dataset(session, dataset, settings.data_dir)
    predicting.serving.look()
    datasets.remove_files(paths, settings.data_dir)  # after the commit: a rollback needs them
