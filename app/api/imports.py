"""Imports over HTTP: upload, look, fetch the rejected rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.dependencies import (
    AppSettings,
    DatasetName,
    IdempotencyKey,
    ReadSession,
    SessionFactory,
)
from app.api.importing import Importer, ImportOrder
from app.api.pagination import Page, Pagination
from app.api.receiving import Received, receive
from app.db.engine import transaction
from app.db.tables import Import
from app.domain import datasets, imports
from app.errors import UnsupportedFormat
from app.ingest.formats import MEDIA_TYPES, Delimiter, Encoding, Format, Reading, format_of
from app.ingest.mapping import Table
from app.ingest.parts import staging
from app.ingest.rejection_log import read_csv, read_json_lines
from app.ingest.staging import OnError, Policy

router = APIRouter(tags=["imports"], prefix="/datasets/{dataset}/imports")

IMPORTS_AT_ONCE = 2
"""In one process; each takes a bounded share of memory."""

ImportId = Annotated[int, Path(ge=1, lt=2**31, description="number of the import")]

_BINARY = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the rows, perhaps compressed with gzip",
        "content": {
            **{name: {"schema": _BINARY} for name in MEDIA_TYPES if name != "application/csv"},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
            },
        },
    }
}


class RejectedRow(BaseModel):
    """A row that was not taken.

    `row` counts records from 1 (CSV: without the header; JSON Lines: the line).
    """

    row: int
    column: str | None
    code: str = Field(examples=["not_a_time"])
    message: str


class ImportReport(BaseModel):
    """What became of an upload's rows: read = accepted + duplicate + rejected."""

    id: int
    dataset: str
    table: Table
    format: Format | Literal["json"] = Field(
        description="`json`: batches of events that were posted, put together"
    )
    on_error: OnError
    rows_read: int
    rows_accepted: int
    rows_duplicate: int
    rows_rejected: int
    rejections_by_code: dict[str, int] = Field(examples=[{"not_a_time": 2}])
    rejections: list[RejectedRow] = Field(description="the first 100; `/rejections` has all")
    notes: list[str] = Field(
        description="what was decided for want of a column or a declaration",
        examples=[["no column says what happened: every row is of the event type 'interaction'"]],
    )
    dataset_revision: int = Field(description="of the dataset, after this import")
    created_at: datetime


def _report(row: Import, dataset: str) -> ImportReport:
    fields = {name: getattr(row, name) for name in ImportReport.model_fields if name != "dataset"}
    return ImportReport(dataset=dataset, **fields)


@router.post(
    "",
    status_code=201,
    operation_id="createImport",
    summary="Upload events, users or items",
    openapi_extra=_BODY,
    responses={
        201: {
            "headers": {
                "Location": {"description": "where the report is", "schema": {"type": "string"}},
                "Idempotent-Replayed": {
                    "description": "`true` if the same request made it earlier",
                    "schema": {"type": "string"},
                },
            }
        }
    },
)
async def create_import(
    request: Request,
    response: Response,
    settings: AppSettings,
    factory: SessionFactory,
    dataset: DatasetName,
    table: Annotated[Table, Query(description="what the rows are")] = "events",
    on_error: Annotated[
        OnError, Query(description="`abort`: one bad row and nothing is stored")
    ] = "abort",
    max_error_ratio: Annotated[
        float, Query(ge=0, le=1, description="with `skip`: more bad rows and nothing is stored")
    ] = 1.0,
    file_format: Annotated[
        Format | None, Query(alias="format", description="by default what the Content-Type says")
    ] = None,
    delimiter: Annotated[
        Delimiter | None, Query(description="of CSV; by default the header decides")
    ] = None,
    encoding: Annotated[Encoding, Query(description="of CSV and JSON Lines")] = "utf-8",
    idempotency_key: IdempotencyKey = None,
) -> ImportReport:
    """Import CSV, JSON Lines or Parquet, as the body or as the file of a multipart form.

    Answers when all is stored, or nothing. Rows that the dataset has already are left out: events
    by their `event_id`, or when all of their columns are equal; users and items when the newest row
    of their id is equal (else the new row replaces it).
    """
    importer = Importer(factory, settings.data_dir, settings.max_upload_bytes)
    await to_thread.run_sync(_check_dataset, importer, dataset)
    with staging(settings.data_dir) as folder:
        upload = await receive(request, folder, settings.max_upload_bytes)
        order = ImportOrder(
            dataset=dataset,
            table=table,
            reading=Reading(_format(file_format, upload), encoding, delimiter),
            policy=Policy(on_error, max_error_ratio),
            key=idempotency_key,
        )
        slots: CapacityLimiter = request.app.state.import_slots
        row, is_new = await to_thread.run_sync(importer.run, order, upload, limiter=slots)
    response.headers["Location"] = f"/v1/datasets/{dataset}/imports/{row.id}"
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return _report(row, dataset)


@router.get("", operation_id="listImports", summary="Imports, the newest first")
def list_imports(
    session: ReadSession, dataset: DatasetName, pagination: Pagination
) -> Page[ImportReport]:
    """The reports of a dataset's imports."""
    found = datasets.get_dataset(session, dataset)
    rows = imports.list_imports(session, found, pagination.after_int(), pagination.limit)
    return pagination.page(rows, lambda row: _report(row, dataset), lambda row: [row.id])


@router.get("/{import_id}", operation_id="getImport", summary="The report of an import")
def get_import(session: ReadSession, dataset: DatasetName, import_id: ImportId) -> ImportReport:
    """What became of the rows of one upload."""
    found = datasets.get_dataset(session, dataset)
    return _report(imports.get_import(session, found, import_id), dataset)


@router.get(
    "/{import_id}/rejections",
    operation_id="getRejections",
    summary="All rejected rows of an import",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                "application/jsonl": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            }
        }
    },
)
def get_rejections(
    session: ReadSession,
    settings: AppSettings,
    dataset: DatasetName,
    import_id: ImportId,
    file_format: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
) -> StreamingResponse:
    """The rejected rows with their reasons, as JSON Lines or CSV."""
    found = datasets.get_dataset(session, dataset)
    row = imports.get_import(session, found, import_id)
    name = f"{dataset}-import-{import_id}-rejections.{file_format}"
    pieces: Iterator[bytes] = iter(())
    if row.rejections_path is not None:
        read = read_csv if file_format == "csv" else read_json_lines
        pieces = read(settings.data_dir / row.rejections_path)
    return StreamingResponse(
        pieces,
        media_type="text/csv" if file_format == "csv" else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _check_dataset(importer: Importer, dataset: str) -> None:
    # Before the body is read: nobody should upload gigabytes to a dataset that is not there.
    with transaction(importer.factory, write=False) as session:
        datasets.get_dataset(session, dataset)


def _format(given: Format | None, upload: Received) -> Format:
    found = format_of(given, upload.media_type, upload.file_name)
    if found is None:
        raise UnsupportedFormat(
            f"cannot tell the format from Content-Type {upload.media_type or 'none'!r}: send "
            "text/csv, application/jsonl or application/vnd.apache.parquet, or add "
            "?format=csv|jsonl|parquet"
        )
    return found
