"""Parquet: columns keep their types, and are read a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.ingest.blocks import Block
from app.ingest.faults import InvalidUpload, shown

BATCH_ROWS = 65_536


class ParquetUpload:
    """A Parquet file; rows are numbered from 1."""

    complete = True

    def __init__(self, path: Path) -> None:
        if path.stat().st_size == 0:
            raise InvalidUpload("the upload is empty")
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise InvalidUpload(
                f"this is no Parquet file, or it was cut off: {_first_line(error)}"
            ) from error
        self._schema = self._file.schema_arrow
        self.columns = list(self._schema.names)
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise InvalidUpload(f"the file has the column {shown(twice[0])} more than once")

    def all_columns(self) -> list[str]:
        """The columns of single values; lists, maps and structs are left out."""
        return [field.name for field in self._schema if not pa.types.is_nested(field.type)]

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """All rows."""
        names = [name for name in self.columns if name in wanted]
        for name in names:
            kind = self._schema.field(name).type
            if pa.types.is_nested(kind):
                raise InvalidUpload(f"column {shown(name)} holds {kind}, not single values")
        done = 0
        try:
            for batch in self._file.iter_batches(BATCH_ROWS, columns=names):
                records = np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64)
                done += batch.num_rows
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield Block(columns, records, [])
        except (pa.ArrowException, OSError) as error:
            raise InvalidUpload(f"the Parquet file is damaged: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
