"""What the attributes and further columns of a part hold: numbers, or which texts."""

from __future__ import annotations

import pyarrow as pa

from app.ingest.attributes import CATEGORY, DROPPED, NUMBER, UNDECLARED, split_name
from app.ingest.cells import numbers_of

MOST_VALUES = 200
"""So many values of a category are remembered, and one more that says that there are others."""


class ColumnTally:
    """Looks through a part as it is written."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self._values: dict[str, set[str]] = {}

    @property
    def values(self) -> dict[str, list[str]]:
        """Values of each category, in order."""
        return {
            name: sorted(values)
            for name, values in self._values.items()
            if self.kinds.get(name) == "category"
        }

    def add(self, table: pa.Table) -> None:
        """Some rows of the part."""
        for stored in table.column_names:
            prefix, name = split_name(stored)
            if prefix == DROPPED:
                self.kinds[name] = "dropped"
            elif prefix == NUMBER:
                self.kinds[name] = "number"
            elif prefix in {CATEGORY, UNDECLARED}:
                self._add_texts(prefix, name, table.column(stored).unique().drop_null())

    def _add_texts(self, prefix: str, name: str, texts: pa.Array) -> None:
        if prefix == CATEGORY:
            self.kinds[name] = "category"
        elif len(texts) and self.kinds.get(name) != "category":
            words = numbers_of(texts).unreadable.any()
            self.kinds[name] = "category" if words else "number"
        known = self._values.setdefault(name, set())
        for text in texts[: MOST_VALUES + 1].to_pylist():
            if len(known) > MOST_VALUES:
                return
            known.add(text)
