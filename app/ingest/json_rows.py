"""Rows that are JSON objects: cells as texts, column by column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from app.ingest.blocks import Block
from app.ingest.faults import Rejection, shown


class JsonRows:
    """An upload of objects that are in memory; records are numbered from 1 by their place."""

    complete = True

    def __init__(self, rows: Sequence[object]) -> None:
        self._rows = rows
        objects = [row for row in rows if isinstance(row, dict)]
        self.columns = list(dict.fromkeys(key for row in objects for key in row))

    def all_columns(self) -> list[str]:
        """The keys of all objects; those that only ever hold lists or objects are left out."""
        return plain_keys(row for row in self._rows if isinstance(row, dict))

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows at once."""
        building = BlockBuilding(wanted)
        for number, row in enumerate(self._rows, start=1):
            building.add(number, row)
        yield building.block()


class BlockBuilding:
    """Gathers objects into a block.

    Args:
        wanted: the keys that become columns.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._cells: dict[str, list[str | None]] = {name: [] for name in wanted}
        self._records: list[int] = []
        self._malformed: list[Rejection] = []

    @property
    def rows_read(self) -> int:
        """How many records were added."""
        return len(self._records) + len(self._malformed)

    def add(self, number: int, row: object) -> None:
        """Add a record; one that is no object, or has no single value, is malformed."""
        if not isinstance(row, dict):
            self.reject(number, None, f"not a JSON object: {shown(row)}")
            return
        nested = [name for name in self._cells if isinstance(row.get(name), dict | list)]
        if nested:
            self.reject(number, nested[0], f"{shown(row[nested[0]])} is no single value")
            return
        self._records.append(number)
        for name, cells in self._cells.items():
            cells.append(_text(row.get(name)))

    def reject(self, number: int, column: str | None, message: str) -> None:
        """Add a record that cannot be read."""
        self._malformed.append(Rejection(number, column, "malformed_row", message))

    def block(self) -> Block:
        """All that was added."""
        columns = {name: pa.array(cells, pa.string()) for name, cells in self._cells.items()}
        return Block(columns, np.array(self._records, dtype=np.int64), self._malformed)


def plain_keys(rows: Iterable[dict[str, object]]) -> list[str]:
    """The keys of all objects; those that only ever hold lists or objects are left out."""
    keys: dict[str, bool | None] = {}
    for row in rows:
        for key, value in row.items():
            if value is None:
                keys.setdefault(key, None)
            elif not keys.get(key):
                keys[key] = not isinstance(value, dict | list)
    return [key for key, is_plain in keys.items() if is_plain is not False]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
