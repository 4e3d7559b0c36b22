"""Finds ids among the sorted ids of a log, without an object or a hash table per id.

The bytes of the ids stand side by side as Arrow keeps them, mapped into memory or not; the order of
texts is that of their UTF-8 bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as

Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_LONGS = "Array(int64, 1, 'C', readonly=True)"
_BYTES = "Array(uint8, 1, 'C', readonly=True)"


class IdSearch:
    """Where ids stand.

    Args:
        ids: in order, each once.
    """

    def __init__(self, ids: pd.Index) -> None:
        self._texts = pa.array(ids, pa.large_string())
        self._offsets, self._data = _buffers(self._texts)

    def codes(self, ids: Sequence[str]) -> Longs:
        """(R,) the places of these ids, -1 for one that is not there."""
        if COMPILED:
            wanted = _single(ids[0]) if len(ids) == 1 else _buffers(_texts(ids))
            return _places(self._offsets, self._data, *wanted)
        return np.array([self._place(one) for one in ids], dtype=np.int64)

    def _place(self, wanted: str) -> int:
        place = bisect_left(range(len(self._texts)), wanted, key=self._text)
        found = place < len(self._texts) and self._text(place) == wanted
        return place if found else -1

    def _text(self, place: int) -> str:
        text: str = self._texts[place].as_py()
        return text


def _single(wanted: str) -> tuple[Longs, Bytes]:
    """What `_buffers` gives for one id; without Arrow it takes a tenth of the time."""
    raw = np.frombuffer(wanted.encode(errors="surrogatepass"), dtype=np.uint8)
    return np.array([0, len(raw)], dtype=np.int64), raw


def _texts(ids: Sequence[str]) -> pa.Array:
    try:
        return pa.array(ids, pa.large_string())
    except UnicodeEncodeError:  # half a character, which no id has
        return pa.array([one.encode(errors="surrogatepass") for one in ids], pa.large_binary())


def _buffers(texts: pa.Array) -> tuple[Longs, Bytes]:
    _, offsets, data = texts.buffers()
    if not len(texts) or offsets is None:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int64)[texts.offset :][: len(texts) + 1]
    raw = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return bounds, raw


@compiled_as(f"int64[::1]({_LONGS}, {_BYTES}, {_LONGS}, {_BYTES})")
def _places(offsets: Longs, data: Bytes, wanted_offsets: Longs, wanted: Bytes) -> Longs:
    places = np.full(len(wanted_offsets) - 1, -1, dtype=np.int64)
    for row in range(len(places)):
        start = wanted_offsets[row]
        size = wanted_offsets[row + 1] - start
        low, high = 0, len(offsets) - 1
        while low < high:
            middle = (low + high) >> 1
            own = offsets[middle]
            own_size = offsets[middle + 1] - own
            common = min(size, own_size)
            byte = 0
            while byte < common and data[own + byte] == wanted[start + byte]:
                byte += 1
            is_below = own_size < size
            if byte < common:
                is_below = data[own + byte] < wanted[start + byte]
            if is_below:
                low = middle + 1
            elif byte == common and own_size == size:
                places[row] = middle
                break
            else:
                high = middle
    return places
