"""Downloads of prediction sets, streamed: Parquet, CSV or JSON Lines."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import StreamingResponse

from app.api.dependencies import SessionFactory
from app.api.moments import cutoff_shown
from app.domain.answer_tables import Told
from app.domain.exporting import export
from app.domain.prediction_sets import FoundSet, SetTask
from app.errors import UnsupportedFormat
from app.ingest.formats import Format, format_of

_MEDIA_TYPES: dict[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv",
    "jsonl": "application/jsonl",
}
EXPORT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a row per answer, the largest point of each task first",
        "content": {
            name: {"schema": {"type": "string", "format": "binary"}}
            for name in _MEDIA_TYPES.values()
        },
    }
}

WantedFormat = Annotated[
    Format | None, Query(description="Parquet, CSV or JSON Lines; else `Accept` decides")
]
AcceptHeader = Annotated[str, Header(alias="Accept", description="Parquet unless it names another")]
OneTask = Annotated[
    str | None, Query(description="only this task's answers", examples=["buys_30d"])
]


def chosen_format(wanted: Format | None, accept: str) -> Format:
    """By `?format=`, else the first one that `Accept` names.

    Raises:
        UnsupportedFormat: it names others alone.
    """
    if wanted is not None:
        return wanted
    for part in accept.split(","):
        media_type = part.partition(";")[0].strip().lower()
        if media_type in {"", "*/*", "application/*"}:
            return "parquet"
        found = "csv" if media_type == "text/*" else format_of(None, media_type, None)
        if found is not None:
            return found
    raise UnsupportedFormat(
        f"no export in {accept!r}: send Accept with {', '.join(_MEDIA_TYPES.values())}, or "
        f"`?format=` with {', '.join(_MEDIA_TYPES)}"
    )


def download(
    sessions: SessionFactory, found: FoundSet, tasks: list[SetTask], how: Format
) -> StreamingResponse:
    """The set as a file that is made while it is sent."""
    told = Told(found.version, cutoff_shown(found.prediction_set.cutoff_at))
    name = f"predictions-{found.prediction_set.id}.{how}"
    return StreamingResponse(
        export(sessions, tasks, told, how),
        media_type=_MEDIA_TYPES[how],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
