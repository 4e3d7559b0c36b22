"""Writes the rows of a part in groups of a good size, while the next ones are made."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from app.ingest.tally import Tally

ROW_GROUP_ROWS = 2**17
_KEYS = ("key", "id_key")


class PartWriter:
    """A part that is being written, by a thread of its own; `tally` counts its rows.

    Users are too many for a dictionary to make them smaller, and keys are random numbers.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        self.path = path
        self.tally = Tally()
        self._file = pq.ParquetWriter(
            path,
            schema,
            compression={name: "none" if name in _KEYS else "zstd" for name in schema.names},
            use_dictionary=[name for name in texts if name != "user"] or False,
            write_statistics=["time"],
        )
        self._thread = ThreadPoolExecutor(1)
        self._at_work: Future[None] | None = None
        self._waiting: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Write these rows, now or later."""
        self._waiting.append(rows)
        if sum(table.num_rows for table in self._waiting) >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        group = pa.concat_tables(self._waiting)
        self._waiting = []
        self._wait()
        self._at_work = self._thread.submit(self._write, group)

    def _write(self, group: pa.Table) -> None:
        self._file.write_table(group, row_group_size=group.num_rows)
        self.tally.add(group)

    def _wait(self) -> None:
        if self._at_work is not None:
            self._at_work.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                if any(table.num_rows for table in self._waiting):
                    self._flush()
                self._wait()
        finally:
            self._thread.shutdown()
            self._file.close()
