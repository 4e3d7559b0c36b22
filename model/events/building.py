"""An event index made from tables of events, in bounded memory, and brought up to date."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from uuid import uuid4

import pyarrow as pa

import model.lazy_pandas as pd
from model.errors import InvalidEvents
from model.events.batches import log_of_tables
from model.events.merging import merge
from model.events.storage import StoredLog, write_log

BYTES_PER_EVENT = 300
"""What an event takes while a log is made of it in memory, with its texts."""


def build_index(
    tables: Iterable[pa.Table],
    folder: Path,
    *,
    time_zone: str,
    users: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    made_from: tuple[str, ...] = (),
    base: StoredLog | None = None,
    memory_bytes: int = 2**29,
) -> None:
    """Write the index that has all events of `base` and of the tables.

    As many events as fit into memory are made a log of, and these logs are merged. If a whole
    folder is there already, for another process was faster, nothing is changed.

    Args:
        tables: of events, each of a small part of the memory, as for `log_of_tables`, in the order
            of import.
        folder: gets its name when it is complete.
        time_zone: the shop's.
        users: all of them, also those of `base`, as for `EventLog.from_frames`.
        items: likewise.
        made_from: names of the parts that the events are of, those of `base` included.
        base: what is brought up to date; left as it is.
        memory_bytes: about how much memory is used beside that of ids and attributes.

    Raises:
        InvalidEvents: there is no event, or one has no time, no type, or neither user nor item.
        InvalidIndex: the tables do not fit the base.
    """
    most_events = max(1, memory_bytes // BYTES_PER_EVENT)
    with _made_whole(folder) as unfinished, TemporaryDirectory(dir=unfinished) as scratch:
        logs = [] if base is None else [base]
        for number, (some, are_last) in enumerate(_gathered(tables, most_events)):
            if are_last and not logs:  # all fit into memory
                write_log(log_of_tables(some, time_zone, users, items), unfinished, made_from)
                return
            partial = Path(scratch) / str(number)
            partial.mkdir()
            write_log(log_of_tables(some, time_zone), partial, ())
            logs.append(StoredLog(partial))
        if not logs:
            raise InvalidEvents("there are no events: import some")
        window = max(1, most_events // (4 * len(logs)))
        merge(logs, unfinished, users=users, items=items, made_from=made_from, window=window)


def _gathered(tables: Iterable[pa.Table], rows: int) -> Iterator[tuple[list[pa.Table], bool]]:
    """The tables in groups of about so many rows, and whether these are the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        if not len(table):
            continue
        if waiting and sum(map(len, waiting)) + len(table) > rows:
            yield waiting, False
            waiting = []
        waiting.append(table)
    if waiting:
        yield waiting, True


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """A folder that takes its name at the end; gone if that fails or another one has the name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}-{uuid4().hex}")
    unfinished.mkdir()
    try:
        yield unfinished
        for path in (*unfinished.iterdir(), unfinished):
            _sync(path)
        try:
            unfinished.rename(folder)
            _sync(folder.parent)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        rmtree(unfinished, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
