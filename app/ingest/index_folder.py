"""The event index of a dataset: beside its parts, made when it is asked for, never in the way.

`<data_dir>/datasets/<id>/index-<word>/`, where the word says which parts it was made from. Whoever
needs an index that is not there makes it, from an older one and the new parts if possible; others
wait at the lock. Older ones are removed: who has them open keeps what was mapped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pyarrow as pa

from app.ingest.entity_frames import entity_frame
from app.ingest.event_tables import EventTables
from app.ingest.parts import PartFile
from model.errors import InvalidEvents, InvalidIndex
from model.events import EventLog
from model.events.building import build_index
from model.events.storage import SCHEMA_VERSION, StoredLog

logger = logging.getLogger(__name__)

_PREFIX = "index-"
_LOCK = ".index.lock"


def open_event_log(
    parts: Sequence[PartFile],
    dataset_name: str,
    time_zone: str,
    memory_mb: int,
) -> EventLog:
    """The log that these parts hold, mapped into memory; needs no database.

    Args:
        parts: all of a dataset as of some revision, in the order of import.
        dataset_name: to say whose events are missing.
        time_zone: the shop's.
        memory_mb: about how much memory making an index may take beside ids and attributes.

    Raises:
        InvalidEvents: There are no events.
    """
    if not any(part.table == "events" for part in parts):
        raise InvalidEvents(f"dataset {dataset_name!r} has no events: import some")
    names = tuple(part.path.name for part in parts)
    folder = parts[0].path.parent / f"{_PREFIX}{_word(names, time_zone)}"
    try:
        return EventLog.open(folder)
    except InvalidIndex as error:
        why = error if folder.exists() else "these events have none yet"
        logger.info("making an event index of dataset %r: %s", dataset_name, why)
    with _lock(folder.parent):
        return _opened_or_made(folder, parts, names, time_zone, memory_mb)


def _opened_or_made(
    folder: Path,
    parts: Sequence[PartFile],
    names: tuple[str, ...],
    time_zone: str,
    memory_mb: int,
) -> EventLog:
    """The index, by the holder of the lock."""
    try:
        return EventLog.open(folder)  # made by whoever had the lock before
    except InvalidIndex:
        rmtree(folder, ignore_errors=True)
    for unfinished in folder.parent.glob(f".{_PREFIX}*"):  # its maker had the lock, and is dead
        rmtree(unfinished, ignore_errors=True)
    tables = EventTables(parts)
    base = _best_base(folder.parent, names, tables, time_zone)
    known = base.head.made_from if base else ()
    build_index(
        tables.read([part for part in tables if part.path.name not in known]),
        folder,
        time_zone=time_zone,
        users=entity_frame(parts, "user"),
        items=entity_frame(parts, "item"),
        made_from=names,
        base=base,
        memory_bytes=memory_mb * 2**20,
    )
    pa.default_memory_pool().release_unused()
    log = EventLog.open(folder)
    _remove_older(folder, names)
    return log


def _best_base(
    place: Path, names: tuple[str, ...], tables: EventTables, time_zone: str
) -> StoredLog | None:
    """The index that has the most of these parts, and nothing that is understood otherwise now."""
    fitting = [
        stored
        for stored in _stored_logs(place)
        if _is_prefix(stored.head.made_from, names)
        and stored.head.time_zone == time_zone
        and all(
            tables.columns.get(column.name) == ("number" if column.texts is None else "category")
            for column in stored.head.columns
        )
    ]
    return max(fitting, key=lambda stored: len(stored.head.made_from), default=None)


def _remove_older(folder: Path, names: tuple[str, ...]) -> None:
    for stored in _stored_logs(folder.parent):
        if stored.folder != folder and _is_prefix(stored.head.made_from, names):
            rmtree(stored.folder, ignore_errors=True)


def _stored_logs(place: Path) -> Iterator[StoredLog]:
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            yield StoredLog(folder)
        except InvalidIndex as error:
            logger.warning("removing a damaged event index: %s", error)
            rmtree(folder, ignore_errors=True)


def _is_prefix(some: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return names[: len(some)] == some


def _word(names: tuple[str, ...], time_zone: str) -> str:
    said = json.dumps([SCHEMA_VERSION, time_zone, names])
    return hashlib.sha256(said.encode()).hexdigest()[:24]


@contextmanager
def _lock(place: Path) -> Iterator[None]:
    """Held by one at a time, in any process; a process that dies lets it go."""
    with (place / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
