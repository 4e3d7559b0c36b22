"""CSV, read as text on one thread, so that every bad record is found and rightly numbered."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from app.ingest.blocks import Block
from app.ingest.faults import InvalidUpload, Rejection, shown
from app.ingest.formats import DELIMITERS
from app.ingest.text_upload import check_text

BLOCK_BYTES = 2**20
"""Read at once, and some thirty ahead; no record may be longer."""


class CsvUpload:
    """A CSV file with a header; its first record is number 1, a line break in quotes is none.

    Without a `delimiter` it is the one that cuts the header into most cells.
    """

    complete = True

    def __init__(
        self, path: Path, delimiter: str | None = None, block_bytes: int = BLOCK_BYTES
    ) -> None:
        check_text(path, "CSV")
        self._path = path
        self._block_bytes = block_bytes
        self.delimiter = delimiter_of(path) if delimiter is None else delimiter
        self.columns = _header(path, self.delimiter)

    def all_columns(self) -> list[str]:
        """The header."""
        return self.columns

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows; a record with too few or too many cells is malformed."""
        numbering = _Numbering()
        try:
            for batch in self._batches(
                [name for name in self.columns if name in wanted], numbering
            ):
                yield numbering.block(batch)
        except pa.ArrowInvalid as error:
            raise InvalidUpload(_explain(error, self._block_bytes)) from error
        if numbering.waiting:
            yield Block({}, np.empty(0, dtype=np.int64), numbering.waiting)

    def _batches(self, wanted: list[str], numbering: _Numbering) -> Iterator[pa.RecordBatch]:
        if not _has_rows(self._path, self.delimiter):
            return
        with arrow_csv.open_csv(
            self._path,
            # Only a single thread knows the number of a record that does not fit.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=self._block_bytes),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                invalid_row_handler=numbering.skip,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=wanted or self.columns[:1],
                column_types=dict.fromkeys(self.columns, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        ) as batches:
            yield from batches


class _Numbering:
    """Gives the rows that could be read the numbers that the others have left."""

    def __init__(self) -> None:
        self.waiting: list[Rejection] = []
        self._skipped: list[int] = []
        self._next = 1

    def skip(self, row: arrow_csv.InvalidRow) -> str:
        number = row.number - 1  # Arrow counts the header
        self._skipped.append(number)
        message = (
            f"{row.actual_columns} cells where the header has {row.expected_columns}: "
            f"{shown(row.text)}"
        )
        self.waiting.append(Rejection(number, None, "malformed_row", message))
        return "skip"

    def block(self, batch: pa.RecordBatch) -> Block:
        records = self._take(batch.num_rows)
        before = records[-1] if len(records) else 0
        malformed = [rejection for rejection in self.waiting if rejection.row < before]
        self.waiting = self.waiting[len(malformed) :]
        return Block(dict(zip(batch.schema.names, batch.columns, strict=True)), records, malformed)

    def _take(self, rows: int) -> NDArray[np.int64]:
        taken = np.arange(self._next, self._next + rows + len(self._skipped), dtype=np.int64)
        taken = taken[~np.isin(taken, self._skipped)][:rows]
        if rows:
            self._next = int(taken[-1]) + 1
            self._skipped = [number for number in self._skipped if number >= self._next]
        return taken


def delimiter_of(path: Path) -> str:
    """The delimiter that cuts the header into most cells, of which the first record has as many.

    Raises:
        InvalidUpload: The header cannot be read.
    """
    found = {}
    for delimiter in DELIMITERS.values():
        header, *record = [*islice(_records(path, delimiter), 2)] or [[]]
        fits = not record or len(record[0]) == len(header)
        found[delimiter] = (fits and len(header) > 1, len(header))
    return max(found, key=lambda delimiter: found[delimiter])


def _records(path: Path, delimiter: str) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from (row for row in csv.reader(file, delimiter=delimiter) if row)
        except csv.Error:  # e.g. a very long cell: Arrow judges it
            return


def _header(path: Path, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            header = next((row for row in csv.reader(file, delimiter=delimiter) if row), None)
        except csv.Error as error:
            raise InvalidUpload(f"cannot read the header: {error}") from error
    if header is None:
        raise InvalidUpload("the upload is empty: it has no header")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InvalidUpload(f"the header has the column {shown(twice[0])} more than once")
    return header


def _has_rows(path: Path, delimiter: str) -> bool:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = (row for row in csv.reader(file, delimiter=delimiter) if row)
        next(rows, None)
        try:
            return next(rows, None) is not None
        except csv.Error:  # e.g. a very long cell: there is something, let Arrow judge it
            return True


def _explain(error: pa.ArrowInvalid, block_bytes: int) -> str:
    if "straddling" in str(error):
        return (
            f"a record is longer than {block_bytes:,} bytes: probably a quotation mark that is "
            "never closed"
        )
    return f"cannot read the file as CSV: {error}"
