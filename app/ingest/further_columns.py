"""The further columns of events: a rating, a channel, whatever the log has beside its own columns.

What nobody has declared is kept too, as it stands, with two exceptions. A text of more than
`LONGEST_ID` characters is no value that comes again, and is missing. A column with more than
`MOST_VALUES` different texts in one upload (a comment, a session's id) is dropped: it would cost
most of the memory, and conditions and tasks ask for values that come again. Declare it to keep it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

import model.lazy_compute as pc
from app.ingest.attributes import NUMBER, UNDECLARED, kind_of, sources_of
from app.ingest.blocks import Block, Upload
from app.ingest.cells import numbers_of, text_of
from app.ingest.checked import LONGEST_ID, checked_numbers, checked_text, mask
from app.ingest.faults import BlockFaults, shown
from app.ingest.mapping import CANONICAL, EventMapping
from app.ingest.row_keys import Keys, cell_keys, number_keys, text_keys

MOST_COLUMNS = 100
MOST_VALUES = 10_000


class FurtherColumns:
    """The further columns of the events of one upload.

    `fields` are their names and types in a part.

    Raises:
        InvalidUpload: The upload lacks a declared one, or has too many.
    """

    def __init__(self, mapping: EventMapping, upload: Upload, used: Collection[str | None]) -> None:
        declared = mapping.attributes
        other = {name for name in used if name is not None}
        found = sources_of(declared, upload, other, MOST_COLUMNS)
        if declared is None:  # an index that has no name is none
            found = {_plain_name(name): name for name in found if _is_name(name)}
        self._sources = found
        self._kinds = {name: kind_of(declared, name) for name in found}
        self._values = {name: _Values() for name, kind in self._kinds.items() if kind == UNDECLARED}
        self.wanted = frozenset(self._sources.values())
        self.fields = [
            (kind + name, pa.float64() if kind == NUMBER else pa.string())
            for name, kind in self._kinds.items()
        ]

    @property
    def dropped(self) -> frozenset[str]:
        """The undeclared columns with more different texts than are of use."""
        return frozenset(name for name, values in self._values.items() if values.are_too_many)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the import report says of them."""
        return tuple(
            f"column {shown(name)} has more than {MOST_VALUES:,} different texts and is not kept: "
            "declare it in the mapping's `events.attributes` to keep it"
            for name in sorted(self.dropped)
        )

    def read(self, block: Block, faults: BlockFaults) -> tuple[dict[str, object], Keys]:
        """Their values by name in a part, and what they add to the rows' keys.

        A missing value adds nothing, so that a column without values makes no row another one.
        """
        columns: dict[str, object] = {}
        added = np.zeros(len(block), dtype=np.uint64)
        for name, kind in self._kinds.items():
            if kind == NUMBER:
                numbers = checked_numbers(block, self._sources[name], faults)
                columns[kind + name] = numbers
                added += cell_keys(name, number_keys(numbers), np.isnan(numbers))
                continue
            texts = self._texts(block, name, faults)
            columns[kind + name] = texts
            added += cell_keys(name, text_keys(texts), mask(pc.is_null(texts)))
        return columns, added

    def _texts(self, block: Block, name: str, faults: BlockFaults) -> pa.Array:
        source = self._sources[name]
        if self._kinds[name] != UNDECLARED:
            return checked_text(block, source, faults)
        texts = text_of(block.column(source)).dictionary_encode()
        kept = _usable(texts.dictionary)
        self._values[name].add(kept)
        return pa.DictionaryArray.from_arrays(texts.indices, kept).dictionary_decode()


def crowded(events: pa.Table) -> list[str]:
    """The undeclared columns of a part, by their plain names, with too many different texts."""
    found = []
    for stored in events.column_names:
        if stored.startswith(UNDECLARED):
            values = _Values()
            values.add(events.column(stored).unique())
            if values.are_too_many:
                found.append(stored.removeprefix(UNDECLARED))
    return found


class _Values:
    """The different texts of a column, as long as they are few; and whether all are numbers."""

    def __init__(self) -> None:
        self._all_numbers = True
        self._keys: Keys | None = np.empty(0, dtype=np.uint64)

    @property
    def are_too_many(self) -> bool:
        return self._keys is None and not self._all_numbers

    def add(self, distinct: pa.Array) -> None:
        if self._all_numbers:
            self._all_numbers = not numbers_of(distinct).unreadable.any()
        if self._keys is not None:
            keys = np.union1d(self._keys, text_keys(distinct.drop_null()))
            self._keys = keys if len(keys) <= MOST_VALUES else None


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_ID and "\0" not in name


def _plain_name(name: str) -> str:
    return f"{name}_" if name in CANONICAL else name


def _usable(texts: pa.Array) -> pa.Array:
    """Without texts that no database or list of values could hold."""
    unusable = pc.or_(
        pc.greater(pc.utf8_length(texts), LONGEST_ID), pc.match_substring(texts, "\0")
    )
    return pc.if_else(unusable, None, texts)
