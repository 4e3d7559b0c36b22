"""Which column of an upload is the user, the item, the time; and whether there are times at all.

A log without times is a table whose rows are events nobody knows the order of. A dataset is one or
the other from its first events on.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.ingest.blocks import Upload
from app.ingest.columns import find_column, find_default, missing_column, require_seen
from app.ingest.faults import InvalidUpload, shown
from app.ingest.mapping import DEFAULT_COLUMNS, EventMapping
from app.ingest.times import look_like_times

DEFAULT_EVENT_TYPE = "interaction"
"""Of the events of a log without times that says nothing of types."""

_NO_TIME = (
    "no column says when: the dataset has no times, and only tasks about columns can be learned "
    "from it"
)
_OTHER_DATASET = (
    'or make another dataset, with `"events": {"columns": {"time": null}}` if the rows have no time'
)


@dataclass(frozen=True)
class EventSource:
    """Where everything that an event has stands in an upload; None: the upload has none of it.

    `default_event_type` is of rows without one when no rule fits; None refuses them.
    """

    columns: dict[str, str | None]
    has_time: bool
    default_event_type: str | None
    notes: tuple[str, ...]


def event_source(mapping: EventMapping, upload: Upload, known: bool | None) -> EventSource:
    """Find the columns of the events in an upload.

    Args:
        mapping: What the dataset says.
        upload: The file at hand.
        known: Whether the dataset's events have times; None while there are no events.

    Raises:
        InvalidUpload: The upload lacks a column that is needed, or its rows have times and those of
            the dataset have not, or the other way round.
    """
    columns = {meaning: _find(mapping, upload, meaning) for meaning in DEFAULT_COLUMNS}
    if "event_id" not in mapping.columns.model_fields_set:
        seen = columns["event_id"] in upload.columns
        columns["event_id"] = columns["event_id"] if seen else None
    require_seen(upload, [*_names("user", columns), *_names("item", columns)], "user or item")
    for rule in mapping.rules:
        find_column(upload, rule.column, f"rule for {shown(rule.event_type)}")
    has_time, notes = _has_time(mapping, upload, columns, known)
    if not has_time:
        columns["time"] = None
    default = mapping.default_event_type
    if default is None and not mapping.rules and not _has_types(upload, columns, has_time):
        default = DEFAULT_EVENT_TYPE
        notes += (f"no column says what happened: every row is of the event type {default!r}",)
    return EventSource(columns, has_time, default, notes)


def _has_types(upload: Upload, columns: dict[str, str | None], has_time: bool) -> bool:
    if not has_time:
        return columns["event_type"] in upload.columns
    if columns["event_type"] is None:
        error = missing_column(upload, DEFAULT_COLUMNS["event_type"], "event type")
        raise InvalidUpload(
            f"{error.detail}; a default_event_type in the mapping would do", code=error.code
        )
    return True


def check_agreement(has_time: bool, known: bool | None) -> None:
    """Refuse what was staged when another import has decided otherwise meanwhile.

    Raises:
        InvalidUpload: The dataset's events have times and these have not, or the other way round.
    """
    if known is None or known == has_time:
        return
    if known:
        raise InvalidUpload(
            f"the file has no column for the time; {_way_out(known)}", code="times_disagree"
        )
    raise _disagreement("the file has times: leave them out")


def _find(mapping: EventMapping, upload: Upload, meaning: str) -> str | None:
    if meaning in mapping.columns.model_fields_set:
        given: str | None = getattr(mapping.columns, meaning)
        return given and find_column(upload, given, meaning)
    return find_default(upload, DEFAULT_COLUMNS[meaning])


def _has_time(
    mapping: EventMapping, upload: Upload, columns: dict[str, str | None], known: bool | None
) -> tuple[bool, tuple[str, ...]]:
    given = "time" in mapping.columns.model_fields_set
    if given and mapping.columns.time is None:
        return False, ()
    seen = [name for name in _names("time", columns) if name in upload.columns]
    if seen:
        if known is False:
            raise _disagreement(f"the file has the column {shown(seen[0])}: leave it out")
        return True, ()
    if known is False:
        return False, ()
    if given or known or not _may_be_timeless(upload, columns):
        error = missing_column(upload, _names("time", columns), "time")
        raise InvalidUpload(f"{error.detail}; {_way_out(known)}", code=error.code)
    _refuse_hidden_times(upload, columns)
    return False, (_NO_TIME,)


def _may_be_timeless(upload: Upload, columns: dict[str, str | None]) -> bool:
    """Whether a file without a time is meant so, and not only named in other words."""
    both = all(columns[side] in upload.columns for side in ("user", "item"))
    later = [] if upload.complete else upload.all_columns()
    return both and not any(name in later for name in DEFAULT_COLUMNS["time"])


def _way_out(known: bool | None) -> str:
    if known:
        return f"the dataset's events have times: add the column, {_OTHER_DATASET}"
    return (
        'name it in the mapping, `"events": {"columns": {"time": "..."}}`, or say null there if '
        "the rows have no time"
    )


def _disagreement(what: str) -> InvalidUpload:
    return InvalidUpload(
        f"the dataset's events have no times, but {what}, {_OTHER_DATASET}",
        code="times_disagree",
    )


def _refuse_hidden_times(upload: Upload, columns: dict[str, str | None]) -> None:
    """A column of another name that holds times is better asked about than taken for a label."""
    mapped = set(columns.values())
    names = [name for name in upload.all_columns() if name not in mapped]
    for name, cells in next((block.columns for block in upload.blocks(names)), {}).items():
        if look_like_times(cells):
            raise InvalidUpload(
                f"no column for the time has a name that is known, but {shown(name)} holds times: "
                f"{_way_out(None)}",
                code="missing_column",
            )


def _names(meaning: str, columns: dict[str, str | None]) -> list[str]:
    column = columns[meaning]
    return list(DEFAULT_COLUMNS[meaning]) if column is None else [column]
