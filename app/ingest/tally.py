"""What a profile is made of, counted while the rows of a part go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

import model.lazy_compute as pc
from app.ingest.column_tally import ColumnTally
from app.ingest.duplicates import distinct, new_ids
from app.ingest.parts import PartFile
from app.ingest.row_keys import Keys, text_keys

_TABLE_OF = {"user": "users", "item": "items"}
_MOST_WAITING = 2**20


class Tally:
    """Counts of rows, and what their columns hold."""

    def __init__(self) -> None:
        self.rows = 0
        self.event_types: Counter[str] = Counter()
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.columns = ColumnTally()
        self._filled: Counter[str] = Counter()
        self._ids: dict[str, _Ids] = {}

    def add(self, table: pa.Table) -> None:
        """Count these rows too."""
        self.rows += table.num_rows
        for entity in {"user", "item"}.intersection(table.column_names):
            self._ids.setdefault(entity, _Ids()).add(table.column(entity))
        self.columns.add(table)
        if "time" not in table.column_names:
            return
        for name in ("user", "item", "quantity"):
            self._filled[name] += table.num_rows - table.column(name).null_count
        worth = pc.coalesce(
            table.column("value"), pc.multiply(table.column("quantity"), table.column("price"))
        )
        self._filled["value"] += table.num_rows - worth.null_count
        for count in pc.value_counts(table.column("event_type")).to_pylist():
            self.event_types[count["values"]] += count["counts"]
        self._add_times(table.column("time"))

    def _add_times(self, times: pa.ChunkedArray) -> None:
        first, last = pc.min_max(times).as_py().values()
        if first is not None:
            self.first_at = first if self.first_at is None else min(self.first_at, first)
            self.last_at = last if self.last_at is None else max(self.last_at, last)

    def counts(self, parts: Sequence[PartFile], table: str) -> dict[str, int]:
        """The rows that have this and that, and the ids that no part has yet."""
        counts = dict(self._filled)
        for entity, ids in self._ids.items():
            counts[f"new_{entity}s"] = new_ids(ids.distinct, parts, entity)
            if table == _TABLE_OF[entity]:
                own = [part for part in parts if part.table == table]
                counts["new_rows"] = new_ids(ids.distinct, own, entity)
        return counts


class _Ids:
    """The keys of distinct ids; those seen often are not kept for long."""

    def __init__(self) -> None:
        self._known: Keys = np.empty(0, dtype=np.uint64)
        self._waiting: list[Keys] = []

    def add(self, ids: pa.ChunkedArray) -> None:
        self._waiting += [distinct(text_keys(chunk.drop_null())) for chunk in ids.chunks]
        if sum(map(len, self._waiting)) > _MOST_WAITING:
            self._merge()

    def _merge(self) -> None:
        self._known = distinct(np.concatenate([self._known, *self._waiting]))
        self._waiting = []

    @property
    def distinct(self) -> Keys:
        self._merge()
        return self._known
