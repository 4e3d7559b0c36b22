"""Immutable Parquet files: written aside, made durable, then moved to their place.

`<data_dir>/staging/<word>/`    what an import is working on; nothing refers to it
`<data_dir>/datasets/<id>/`     the parts and the rejections of a dataset
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

SCHEMA_VERSION = 2
"""Of the columns, and of what `app.ingest.row_keys` computes its keys from.

1: events had no further columns, and keys knew nothing of them
2: keys of rows without further columns are as they were
"""


@dataclass(frozen=True)
class PartFile:
    """A part that is in place; events without times have no `first_at`."""

    path: Path
    table: str
    first_at: datetime | None
    last_at: datetime | None


def have_time(parts: Iterable[PartFile]) -> bool | None:
    """Whether the events in these parts have times; None if there are no events."""
    events = [part for part in parts if part.table == "events"]
    return any(part.first_at is not None for part in events) if events else None


@contextmanager
def staging(data_dir: Path) -> Iterator[Path]:
    """A folder for one import, gone afterwards; what a crash leaves is for retention to remove."""
    folder = data_dir / "staging" / uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        pa.default_memory_pool().release_unused()


def dataset_folder(data_dir: Path, dataset_id: int) -> Path:
    """Where a dataset's files are."""
    return data_dir / "datasets" / str(dataset_id)


def publish(file: Path, data_dir: Path, dataset_id: int) -> Path:
    """Move a finished file to its place, durably; returns its path in the data directory."""
    folder = dataset_folder(data_dir, dataset_id)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{uuid4().hex}{''.join(file.suffixes)}"
    _sync(file)
    file.replace(target)
    _sync(folder)
    return target.relative_to(data_dir)


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
