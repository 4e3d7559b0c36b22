"""Any format, read as blocks of rows: `open_upload(path, reading)`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.ingest.faults import Rejection
from app.ingest.formats import DELIMITERS, Reading


@dataclass(frozen=True)
class Block:
    """Some rows: a column per name, the number of each row's record, and unreadable records."""

    columns: dict[str, pa.Array]
    records: NDArray[np.int64]
    malformed: list[Rejection]

    def __len__(self) -> int:
        return len(self.records)

    def column(self, name: str | None) -> pa.Array:
        """The column, all missing where the block has none of that name."""
        found = self.columns.get(name) if name is not None else None
        return pa.nulls(len(self), pa.string()) if found is None else found


class Upload(Protocol):
    """A file of rows.

    `columns` are those it has, in its order; where `complete` is false these are the ones seen at
    its beginning, and later rows may have others.
    """

    columns: list[str]
    complete: bool

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows with the wanted columns, in bounded memory.

        Raises:
            InvalidUpload: The file cannot be read on.
        """
        ...

    def all_columns(self) -> list[str]:
        """All columns, if need be by reading the whole file."""
        ...


def open_upload(path: Path, reading: Reading) -> Upload:
    """The upload, its header read; text must be UTF-8 by now.

    Raises:
        InvalidUpload: It is empty, or not of this format.
    """
    from app.ingest.csv_upload import CsvUpload
    from app.ingest.json_lines_upload import JsonLinesUpload
    from app.ingest.parquet_upload import ParquetUpload

    if reading.format == "csv":
        return CsvUpload(path, reading.delimiter and DELIMITERS[reading.delimiter])
    return JsonLinesUpload(path) if reading.format == "jsonl" else ParquetUpload(path)
