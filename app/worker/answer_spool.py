"""Prediction rows on disk, from when they are computed until they are stored.

They are not kept in memory, and they are made before the transaction that stores them, because
SQLite lets nobody else write while that one is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson


def write_rows(file: BinaryIO, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows of the prediction table, one JSON object per line."""
    file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows that were written, in their order."""
    with path.open("rb") as file:
        yield from map(orjson.loads, file)
