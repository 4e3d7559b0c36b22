"""Arrow's arrays as NumPy's, of the same memory where it can be; Arrow itself would need pandas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def is_there(array: pa.Array) -> NDArray[np.bool_]:
    """(R,) which entries are not null."""
    bitmap = array.buffers()[0]
    if bitmap is None:
        return np.ones(len(array), dtype=bool)
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), bitorder="little")
    return bits[array.offset :][: len(array)].astype(bool)


def text_bytes(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(R + 1,) where large strings begin and end, and the bytes of all of them."""
    _, offsets, data = texts.buffers()
    if not len(texts) or offsets is None:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int64)[texts.offset :][: len(texts) + 1]
    raw = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return bounds, raw


def side_by_side(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """What `text_bytes` gives of some texts, half characters included; Arrow would need pandas."""
    raw = "".join(texts).encode(errors="surrogatepass")
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    if len(raw) > sizes.sum():
        encoded = (len(text.encode(errors="surrogatepass")) for text in texts)
        sizes = np.fromiter(encoded, np.int64, len(texts))
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets, np.frombuffer(raw, dtype=np.uint8)


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """The same as `pa.array` of less than 2 GiB, for half the work."""
    offsets, data = side_by_side(texts)
    buffers = pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)
    return pa.StringArray.from_buffers(len(texts), *buffers)


def doubles(array: pa.Array) -> NDArray[np.float64]:
    """(R,) numbers of this type, NaN for null."""
    data = array.buffers()[1]
    numbers = np.full(len(array), np.nan)
    if data is not None:
        found = np.frombuffer(data, dtype=np.float64)[array.offset :][: len(array)]
        np.copyto(numbers, found, where=is_there(array))
    return numbers
