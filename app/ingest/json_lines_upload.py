"""JSON Lines: one object per line; a line that is none is a bad row, not a bad file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from app.ingest.blocks import Block
from app.ingest.faults import InvalidUpload, Rejection, shown
from app.ingest.text_upload import check_text

BLOCK_ROWS = 50_000
BLOCK_BYTES = 8 * 2**20
LONGEST_LINE_BYTES = 4 * 2**20
_SAMPLE_LINES = 1000
_BOM = b"\xef\xbb\xbf"


class JsonLinesUpload:
    """A JSON Lines file; records are numbered by line, from 1."""

    complete = False

    def __init__(self, path: Path) -> None:
        check_text(path, "JSON Lines")
        self._path = path
        first = next((line for _, line in self._lines()), None)
        if first is None:
            raise InvalidUpload("the upload is empty")
        if first.lstrip().startswith(b"["):
            raise InvalidUpload("the file is one JSON list: send one object per line instead")
        self.columns = _keys(islice(self._lines(), _SAMPLE_LINES))

    def all_columns(self) -> list[str]:
        """The keys of all objects; those that only ever hold lists or objects are left out."""
        keys: dict[str, bool | None] = {}
        for _, line in self._lines():
            for key, value in (_parse(line) or {}).items():
                if value is None:
                    keys.setdefault(key, None)
                elif not keys.get(key):
                    keys[key] = not isinstance(value, dict | list)
        return [key for key, is_plain in keys.items() if is_plain is not False]

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows; a value that is an object or a list makes its row malformed."""
        building = _Building(wanted)
        for number, line in self._lines():
            building.add(number, line)
            if building.is_full:
                yield building.block()
                building = _Building(wanted)
        if building.rows_read:
            yield building.block()

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self._path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                if len(line) > LONGEST_LINE_BYTES:
                    raise InvalidUpload(
                        f"line {number} is longer than {LONGEST_LINE_BYTES:,} bytes"
                    )
                if number == 1:
                    line = line.removeprefix(_BOM)
                if line.strip():
                    yield number, line


class _Building:
    def __init__(self, wanted: Collection[str]) -> None:
        self._cells: dict[str, list[str | None]] = {name: [] for name in wanted}
        self._records: list[int] = []
        self._malformed: list[Rejection] = []
        self._bytes = 0

    @property
    def rows_read(self) -> int:
        return len(self._records) + len(self._malformed)

    @property
    def is_full(self) -> bool:
        return self.rows_read >= BLOCK_ROWS or self._bytes >= BLOCK_BYTES

    def add(self, number: int, line: bytes) -> None:
        self._bytes += len(line)
        row = _parse(line)
        if row is None:
            self._reject(number, None, f"not a JSON object: {shown(line.decode().strip())}")
            return
        nested = [name for name in self._cells if isinstance(row.get(name), dict | list)]
        if nested:
            self._reject(number, nested[0], f"{shown(row[nested[0]])} is no single value")
            return
        self._records.append(number)
        for name, cells in self._cells.items():
            cells.append(_text(row.get(name)))

    def _reject(self, number: int, column: str | None, message: str) -> None:
        self._malformed.append(Rejection(number, column, "malformed_row", message))

    def block(self) -> Block:
        columns = {name: pa.array(cells, pa.string()) for name, cells in self._cells.items()}
        return Block(columns, np.array(self._records, dtype=np.int64), self._malformed)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _keys(lines: Iterator[tuple[int, bytes]]) -> list[str]:
    keys: dict[str, None] = {}
    for _, line in lines:
        keys.update(dict.fromkeys(_parse(line) or {}))
    return list(keys)
