"""The log of a training job over HTTP, as JSON or as plain text."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from app.api.dependencies import ReadSession
from app.api.jobs import MAX_EVENT_ID
from app.api.pagination import Page, Pagination
from app.api.training_jobs import KnownJob
from app.domain.training_jobs import LogLevel, job_log

router = APIRouter(tags=["training jobs"])

_TEXT, _JSON = "text/plain", "application/json"


class JobLogLine(BaseModel):
    """A line of a job's log."""

    at: datetime
    level: str = Field(examples=["info"])
    message: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = [f"{name}={_plain(value)}" for name, value in sorted(self.fields.items())]
        return " ".join([at, f"{self.level.upper():<7}", self.message, *said])


@router.get(
    "/training-jobs/{job_id}/log",
    operation_id="getTrainingJobLog",
    summary="The log of a training job",
    response_model=Page[JobLogLine],
    responses={
        200: {
            "content": {_TEXT: {"schema": {"type": "string"}}},
            "headers": {
                "Link": {
                    "description": "of plain text: where the next page is, if there is one",
                    "schema": {"type": "string"},
                }
            },
        }
    },
)
def get_training_job_log(
    job_id: KnownJob,
    session: ReadSession,
    pagination: Pagination,
    level: Annotated[LogLevel, Query(description="only lines of this level and above")] = "debug",
    accept: Annotated[str, Header(description=f"`{_TEXT}` for one line per line")] = _JSON,
) -> Page[JobLogLine] | PlainTextResponse:
    """What the job had to say, the oldest line first; tracebacks are in `fields.exception`."""
    lines = job_log(
        session,
        job_id,
        after=pagination.after_int(MAX_EVENT_ID) or 0,
        limit=pagination.limit + 1,
        level=level,
    )
    page = pagination.page(
        lines, lambda line: JobLogLine(at=line.created_at, **line.data), lambda line: [line.id]
    )
    if not _wants_text(accept):
        return page
    headers = {}
    if page.next_cursor is not None:
        query = {"cursor": page.next_cursor, "limit": pagination.limit, "level": level}
        headers["Link"] = f'</v1/training-jobs/{job_id}/log?{urlencode(query)}>; rel="next"'
    return PlainTextResponse("".join(f"{line}\n" for line in page.items), headers=headers)


def _wants_text(accept: str) -> bool:
    """Whether plain text is named before anything that JSON would do for."""
    for part in accept.split(","):
        media_type = part.partition(";")[0].strip().lower()
        if media_type in {_TEXT, "text/*"}:
            return True
        if media_type in {_JSON, "application/*", "*/*"}:
            return False
    return False


def _plain(value: object) -> str:
    if isinstance(value, str):
        # A traceback stands below its line, as people know it.
        return f"\n{value.rstrip()}" if "\n" in value else value
    return json.dumps(value, ensure_ascii=False)
