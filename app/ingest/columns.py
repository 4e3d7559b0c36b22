"""Find the columns that a mapping speaks of in the file at hand."""

from __future__ import annotations

from collections.abc import Sequence

from app.ingest.blocks import Upload
from app.ingest.faults import InvalidUpload, shown

_SHOWN_COLUMNS = 50


def find_column(upload: Upload, name: str, meaning: str) -> str:
    """The column of this name.

    Raises:
        InvalidUpload: The file surely has none.
    """
    if name not in upload.columns and upload.complete:
        raise missing_column(upload, [name], meaning)
    return name


def find_default(upload: Upload, names: Sequence[str]) -> str | None:
    """The first of the names that the file has; one it may still have if it is not known whole."""
    found = next((name for name in names if name in upload.columns), None)
    return found if found is not None or upload.complete else names[0]


def require_seen(upload: Upload, names: Sequence[str], meaning: str) -> None:
    """Refuse a file in which none of these columns is seen.

    Raises:
        InvalidUpload: There is none; the message lists what there is.
    """
    if not any(name in upload.columns for name in names):
        raise missing_column(upload, names, meaning)


def missing_column(upload: Upload, names: Sequence[str], meaning: str) -> InvalidUpload:
    """The error that says which column is missing and which there are."""
    found = ", ".join(shown(name) for name in upload.columns[:_SHOWN_COLUMNS]) or "none"
    more = ", …" if len(upload.columns) > _SHOWN_COLUMNS else ""
    wanted = " or ".join(shown(name) for name in names)
    return InvalidUpload(
        f"no column {wanted} for the {meaning}; the file has {found}{more}", code="missing_column"
    )
