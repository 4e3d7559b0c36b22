"""The events of parts as tables that are all alike, a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

import model.lazy_compute as pc
from app.ingest.attributes import CATEGORY, DROPPED, NUMBER, UNDECLARED, split_name
from app.ingest.cells import numbers_of
from app.ingest.event_rows import SCHEMA
from app.ingest.parts import PartFile, have_time

Kind = Literal["number", "category"]

_BATCH_ROWS = 2**17
_TEXT = pa.dictionary(pa.int32(), pa.string())
_DECLARED: dict[str, Kind] = {NUMBER: "number", CATEGORY: "category"}


class EventTables:
    """The events of a dataset, with its further columns as numbers or texts.

    A further column is what the mapping declares; if nobody has declared it, it is of numbers when
    every value that is there reads as one. What any part has dropped is incomplete, and left out.

    Args:
        parts: all of the dataset, in the order of import.
    """

    def __init__(self, parts: Sequence[PartFile]) -> None:
        own = [part for part in parts if part.table == "events"]
        has_time = have_time(own) is not False
        self._stored = {part: _stored_names(part) for part in own}
        self._canonical = [
            field for field in SCHEMA if field.name != "key" and (has_time or field.name != "time")
        ]
        self.columns = {name: self._kind(name) for name in self._further_names()}

    def __iter__(self) -> Iterator[PartFile]:
        return iter(self._stored)

    def read(self, parts: Sequence[PartFile]) -> Iterator[pa.Table]:
        """The events of some of these parts."""
        for part in parts:
            stored = self._stored[part]
            names = [field.name for field in self._canonical]
            names += [stored[name] for name in self.columns if name in stored]
            for table in _tables(part, names):
                yield self._alike(table, stored)

    def _alike(self, table: pa.Table, stored: dict[str, str]) -> pa.Table:
        columns: dict[str, pa.ChunkedArray | pa.Array] = {}
        for field in self._canonical:
            column = table[field.name]
            columns[field.name] = _texts(column) if pa.types.is_string(field.type) else column
        for name, kind in self.columns.items():
            if name not in stored:
                columns[name] = pa.nulls(len(table), pa.float64() if kind == "number" else _TEXT)
            elif kind == "number":
                columns[name] = _numbers(table[stored[name]])
            else:
                columns[name] = _texts(table[stored[name]])
        return pa.table(columns)

    def _further_names(self) -> list[str]:
        pairs = {pair for stored in self._stored.values() for pair in stored.items()}
        dropped = {name for name, stored in pairs if split_name(stored)[0] == DROPPED}
        return sorted({name for name, _ in pairs} - dropped)

    def _kind(self, name: str) -> Kind:
        found = [(part, stored[name]) for part, stored in self._stored.items() if name in stored]
        declared = [prefix for _, stored in found if (prefix := split_name(stored)[0]) in _DECLARED]
        if declared:
            return _DECLARED[declared[-1]]
        any_number = False
        for part, stored in found:
            for table in _tables(part, [stored]):
                numbers = numbers_of(table[stored].combine_chunks())
                if numbers.unreadable.any():
                    return "category"
                any_number |= not numbers.missing.all()
        return "number" if any_number else "category"


def _stored_names(part: PartFile) -> dict[str, str]:
    """The further columns of a part: the name of each in the file."""
    names = pq.read_schema(part.path).names
    return {plain: stored for stored in names for kind, plain in [split_name(stored)] if kind}


def _tables(part: PartFile, names: list[str]) -> Iterator[pa.Table]:
    texts = [name for name in names if not name.startswith((NUMBER, UNDECLARED))]
    with pq.ParquetFile(part.path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=names):
            yield pa.Table.from_batches([batch])


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column.cast(_TEXT)


def _numbers(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_floating(column.type):
        return column.combine_chunks()
    numbers = numbers_of(column.combine_chunks())
    return pc.if_else(pa.array(numbers.missing | numbers.unreadable), None, numbers.value)
