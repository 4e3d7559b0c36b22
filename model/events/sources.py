"""Stored logs seen through the codes of a log that has all of their users, items and texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.errors import InvalidIndex
from model.events.batches import recoded
from model.events.entities import Entities
from model.events.index import Codes, packed_pairs
from model.events.storage import StoredColumn, StoredLog


@dataclass(frozen=True)
class Vocabulary:
    """What codes mean; new codes keep the order of old ones, since all are sorted."""

    users: Entities
    items: Entities
    event_types: tuple[str, ...]
    columns: tuple[StoredColumn, ...]

    @classmethod
    def of(
        cls,
        logs: Sequence[StoredLog],
        users: pd.DataFrame | None,
        items: pd.DataFrame | None,
    ) -> Vocabulary:
        """All that any of the logs or a table has.

        Raises:
            InvalidIndex: a column is of numbers in one log and of texts in another.
        """
        names = sorted({column.name for log in logs for column in log.head.columns})
        return cls(
            users=Entities.of("user", _ids(logs, "users"), users),
            items=Entities.of("item", _ids(logs, "items"), items),
            event_types=_all_texts(log.head.event_types for log in logs),
            columns=tuple(_column(logs, name) for name in names),
        )


class Source:
    """A stored log in new codes.

    Args:
        stored: the log.
        vocabulary: what the codes become.
    """

    def __init__(self, stored: StoredLog, vocabulary: Vocabulary) -> None:
        self.stored = stored
        self.entities = {
            "users": vocabulary.users.codes(stored.ids("users")),
            "items": vocabulary.items.codes(stored.ids("items")),
        }
        self._types = _new_codes(stored.head.event_types, vocabulary.event_types)
        self._further = {
            column.name: (i, column.texts) for i, column in enumerate(stored.head.columns)
        }

    def __len__(self) -> int:
        return self.stored.arrays["log.time_us"].length

    @property
    def pairs(self) -> int:
        """How many pairs it has."""
        return self.stored.arrays["pairs.pairs"].length

    def packed_pairs(self, start: int, stop: int) -> NDArray[np.int64]:
        """Its pairs in new codes, ascending."""
        pairs = self.stored.arrays["pairs.pairs"].read(start, stop)
        users, items = pairs >> 32, pairs & 0xFFFFFFFF
        return packed_pairs(self.entities["users"][users], self.entities["items"][items])

    def column(self, start: int, stop: int, *, group: str, name: str) -> NDArray[Any]:
        """Entries of a column of the log (`log`) or of an index (`users`, `items`, `pairs`)."""
        entries = self.stored.arrays[f"{group}.{name}"].read(start, stop)
        match name:
            case "user":
                return recoded(entries, self.entities["users"])
            case "item":
                return recoded(entries, self.entities["items"])
            case "counterpart":
                other = "users" if group == "items" else "items"
                return recoded(entries, self.entities[other])
            case "event_type":
                return recoded(entries, self._types).astype(np.int16)
        return entries

    def further_column(self, start: int, stop: int, *, column: StoredColumn) -> NDArray[Any]:
        """Entries of a further column; missing where this log has no such column."""
        if column.name not in self._further:
            missing = np.nan if column.texts is None else np.int32(-1)
            return np.full(stop - start, missing)
        i, values = self._further[column.name]
        entries = self.stored.arrays[f"column.{i}"].read(start, stop)
        if values is None or column.texts is None:
            return entries
        return recoded(entries, _new_codes(values, column.texts))


def _ids(logs: Sequence[StoredLog], name: str) -> pd.Index:
    first, *others = (log.ids(name) for log in logs)
    return first.append(others).unique()


def _all_texts(texts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({text for some in texts for text in some}))


def _column(logs: Sequence[StoredLog], name: str) -> StoredColumn:
    found = [column.texts for log in logs for column in log.head.columns if column.name == name]
    texts = [values for values in found if values is not None]
    if texts and len(texts) < len(found):
        raise InvalidIndex(f"the column {name!r} is of numbers in one log and of texts in another")
    return StoredColumn(name=name, texts=_all_texts(texts) if texts else None)


def _new_codes(old: tuple[str, ...], new: tuple[str, ...]) -> Codes:
    code_of = {text: code for code, text in enumerate(new)}
    return np.array([code_of[text] for text in old], dtype=np.int32)
