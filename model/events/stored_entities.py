"""The users or items of an index in files, read by Arrow; pandas is imported for who asks for it.

What a service looks at of them is found in Arrow's own memory, mapped or not: a start would spend
more on pandas than on all of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_pandas as pd
from model.compiled import COMPILED
from model.events.arrow_memory import doubles
from model.events.entities import Entities
from model.events.id_search import IdSearch, places_among


class StoredEntities(Entities):
    """See `Entities`.

    Args:
        ids: a table of one column, `id`, in order.
        attributes: a row for each of them.
    """

    _ids: pa.Array
    _attributes: pa.Table

    def __init__(self, ids: pa.Table, attributes: pa.Table) -> None:
        # The rest of a frozen class is worked out when it is asked for.
        vars(self).update(_ids=_whole(ids["id"]), _attributes=attributes)

    @cached_property
    def ids(self) -> pd.Index:
        """In order."""
        found: pd.Index = pd.Index(self._ids.to_pandas().array, dtype="str")
        return found

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """A row for each of the ids."""
        attributes: pd.DataFrame = self._attributes.to_pandas()
        attributes.index = pd.RangeIndex(len(self))
        return attributes

    def __len__(self) -> int:
        return len(self._ids)

    def id_of(self, code: int) -> str:
        """The id that a code stands for."""
        found: str = self._ids[code].as_py()
        return found

    def has(self, attribute: str) -> bool:
        """Whether anything is known of this attribute."""
        return attribute in self._attributes.column_names

    def places_among(self, attribute: str, known: Sequence[str]) -> NDArray[np.int64]:
        """See `Entities`."""
        column = self._attributes[attribute]
        if not (COMPILED and pa.types.is_large_string(column.type)):
            return super().places_among(attribute, known)
        return places_among(_whole(column), known)

    def numbers(self, attribute: str) -> NDArray[np.float64]:
        """See `Entities`."""
        column = self._attributes[attribute]
        if not pa.types.is_float64(column.type):
            return super().numbers(attribute)
        return doubles(_whole(column))

    @cached_property
    def _search(self) -> IdSearch:
        if pa.types.is_large_string(self._ids.type):
            return IdSearch(self._ids)
        return super()._search


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """All of a column side by side."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
