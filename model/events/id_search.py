"""Finds ids among the sorted ids of a log, without an object or a hash table per id.

The bytes of the ids stand side by side as Arrow keeps them, mapped into memory or not; the order of
texts is that of their UTF-8 bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as
from model.events.arrow_memory import is_there, side_by_side, text_bytes

Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_LONGS = "Array(int64, 1, 'C', readonly=True)"
_BYTES = "Array(uint8, 1, 'C', readonly=True)"


class IdSearch:
    """Where ids stand.

    Args:
        ids: texts in order, each once.
    """

    def __init__(self, ids: pa.Array) -> None:
        self._texts = ids
        self._offsets, self._data = text_bytes(ids)

    def codes(self, ids: Sequence[str]) -> Longs:
        """(R,) the places of these ids, -1 for one that is not there."""
        if COMPILED:
            return _places(self._offsets, self._data, *side_by_side(ids))
        return np.array([self._place(one) for one in ids], dtype=np.int64)

    def _place(self, wanted: str) -> int:
        place = bisect_left(range(len(self._texts)), wanted, key=self._text)
        found = place < len(self._texts) and self._text(place) == wanted
        return place if found else -1

    def _text(self, place: int) -> str:
        text: str = self._texts[place].as_py()
        return text


def places_among(texts: pa.Array, known: Sequence[str]) -> Longs:
    """(R,) which of the known texts, of which none is there twice, each text is; -1 for another.

    It takes the compiler.
    """
    order = sorted(range(len(known)), key=known.__getitem__)
    in_order = side_by_side([known[place] for place in order])
    place_of: Longs = np.array([*order, -1], dtype=np.int64)
    found: Longs = place_of[_places(*in_order, *text_bytes(texts))]
    return np.where(is_there(texts), found, -1) if texts.null_count else found


@compiled_as(f"int64[::1]({_LONGS}, {_BYTES}, {_LONGS}, {_BYTES})")
def _places(offsets: Longs, data: Bytes, wanted_offsets: Longs, wanted: Bytes) -> Longs:
    places = np.full(len(wanted_offsets) - 1, -1, dtype=np.int64)
    for row in range(len(places)):
        start = wanted_offsets[row]
        size = wanted_offsets[row + 1] - start
        low, high = 0, len(offsets) - 1
        # What lies between two ids begins with all that the two have in common with what is wanted.
        below, above = 0, 0
        while low < high:
            middle = (low + high) >> 1
            own = offsets[middle]
            own_size = offsets[middle + 1] - own
            common = min(size, own_size)
            byte = min(below, above)
            while byte < common and data[own + byte] == wanted[start + byte]:
                byte += 1
            is_below = own_size < size
            if byte < common:
                is_below = data[own + byte] < wanted[start + byte]
            if is_below:
                low, below = middle + 1, byte
            elif byte == common and own_size == size:
                places[row] = middle
                break
            else:
                high, above = middle, byte
    return places
