"""Which columns of an upload are kept for what they say: attributes, further columns of events.

In a part their names begin with what they are, so that none is taken for an id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.ingest.blocks import Upload
from app.ingest.columns import find_column
from app.ingest.faults import InvalidUpload
from app.ingest.mapping import Attribute

NUMBER, CATEGORY, UNDECLARED = "number:", "category:", "undeclared:"
DROPPED = "dropped:"
"""A column that the upload had and the part has not; see `app.ingest.further_columns`."""

_PREFIXES = (NUMBER, CATEGORY, UNDECLARED, DROPPED)


def split_name(stored: str) -> tuple[str, str]:
    """What a column of a part is, and its plain name; `""` and the name for a canonical one."""
    for prefix in _PREFIXES:
        if stored.startswith(prefix):
            return prefix, stored.removeprefix(prefix)
    return "", stored


def sources_of(
    declared: Mapping[str, Attribute] | None, upload: Upload, used: Collection[str], most: int
) -> dict[str, str]:
    """The source column of each attribute, by name: their order in the file says nothing.

    Args:
        declared: What the mapping says; None takes every column that is not `used`.
        upload: The file at hand.
        used: Columns that are something else.
        most: How many may be taken that nobody has declared.

    Raises:
        InvalidUpload: The file lacks a declared one, or is so wide that nobody can have meant it.
    """
    if declared is not None:
        return {
            name: find_column(upload, attribute.column or name, f"attribute {name!r}")
            for name, attribute in sorted(declared.items())
        }
    names = sorted(name for name in upload.all_columns() if name not in used)
    if len(names) > most:
        raise InvalidUpload(
            f"{len(names):,} further columns are more than {most:,}: name those that matter in the "
            "mapping's `attributes`"
        )
    return {name: name for name in names}


def kind_of(declared: Mapping[str, Attribute] | None, name: str) -> str:
    """What its name in a part begins with."""
    if declared is None:
        return UNDECLARED
    return NUMBER if declared[name].type == "number" else CATEGORY
