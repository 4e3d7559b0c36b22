"""JSON Lines: one object per line; a line that is none is a bad row, not a bad file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.ingest.blocks import Block
from app.ingest.faults import InvalidUpload, shown
from app.ingest.json_rows import BlockBuilding, plain_keys
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
        return plain_keys(_parse(line) or {} for _, line in self._lines())

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows; a value that is an object or a list makes its row malformed."""
        building, size = BlockBuilding(wanted), 0
        for number, line in self._lines():
            size += len(line)
            row = _parse(line)
            if row is None:
                told = f"not a JSON object: {shown(line.decode().strip())}"
                building.reject(number, None, told)
            else:
                building.add(number, row)
            if building.rows_read >= BLOCK_ROWS or size >= BLOCK_BYTES:
                yield building.block()
                building, size = BlockBuilding(wanted), 0
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


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _keys(lines: Iterator[tuple[int, bytes]]) -> list[str]:
    keys: dict[str, None] = {}
    for _, line in lines:
        keys.update(dict.fromkeys(_parse(line) or {}))
    return list(keys)
