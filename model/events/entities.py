"""The users or the items: their ids in order, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.errors import InvalidEvents
from model.events.id_search import IdSearch


@dataclass(frozen=True)
class Entities:
    """The users or the items: `attributes` has a row for each of `ids`, in that order."""

    ids: pd.Index
    attributes: pd.DataFrame

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, ids: pd.Series | pd.Index | list[str]) -> NDArray[np.int32]:
        """The codes of these ids, -1 for an id that is missing or unknown."""
        return self.ids.get_indexer(pd.Index(ids)).astype(np.int32)

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The same as `codes` for a few ids at a time, without a hash table of all."""
        return self._search.codes(ids)

    def id_of(self, code: int) -> str:
        """The id that a code stands for."""
        return str(self.ids[code])

    def has(self, attribute: str) -> bool:
        """Whether anything is known of this attribute."""
        return attribute in self.attributes

    def places_among(self, attribute: str, known: Sequence[str]) -> NDArray[np.int64]:
        """(E,) which of these texts each one's attribute is, -1 for another one and for none."""
        values = pd.Index(self.attributes[attribute].astype("str"))
        found = pd.Index(list(known), dtype="str").get_indexer(values)
        return found.astype(np.int64)

    def numbers(self, attribute: str) -> NDArray[np.float64]:
        """(E,) an attribute, NaN where it is no number."""
        found = pd.to_numeric(self.attributes[attribute], errors="coerce")
        return found.to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def _search(self) -> IdSearch:
        return IdSearch(pa.array(self.ids, pa.large_string()))

    @classmethod
    def of(cls, name: str, seen: pd.Index, table: pd.DataFrame | None) -> Entities:
        """Those that were seen in events and those that a table has.

        Args:
            name: `user` or `item`; the table's column of ids.
            seen: distinct ids.
            table: ids and attributes; the last row of an id counts.

        Raises:
            InvalidEvents: the table has no column of ids.
        """
        if table is None:
            ids = _in_order(seen)
            return cls(ids=ids, attributes=pd.DataFrame(index=range(len(ids))))
        if name not in table.columns:
            raise InvalidEvents(
                f"the {name}s have no column {name!r}; they have {list(table.columns)}"
            )
        table = table.assign(**{name: ids_of(table[name])}).dropna(subset=[name])
        table = table.drop_duplicates(subset=[name], keep="last").set_index(name)
        ids = _in_order(seen.union(table.index))
        return cls(ids=ids, attributes=table.reindex(ids).reset_index(drop=True))


def ids_of(column: pd.Series) -> pd.Series:
    """Text; whole numbers that a missing value has made fractions are written as whole."""
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    present = column.notna()
    ids = pd.Series(None, index=column.index, dtype="str")
    ids[present] = column[present].astype("str")
    return ids


def _in_order(ids: pd.Index) -> pd.Index:
    in_order: pd.Index = pd.Index(np.sort(ids.to_numpy().astype(object)), dtype="str")
    return in_order
