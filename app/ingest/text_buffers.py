"""The bytes of a column of texts, side by side as Arrow keeps them.

What is seldom true (a space at a cell's end, a zero character, an id that is too long) is ruled out
for a whole column in one look at its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc

_FIRST_PLAIN, _LAST_PLAIN = 0x21, 0x7E
"""ASCII characters that are no white space; any other byte may be part of some."""


@dataclass(frozen=True)
class TextBuffer:
    """Text i is `data[offsets[i]:offsets[i + 1]]`."""

    offsets: NDArray[np.int32]
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, texts: pa.StringArray) -> TextBuffer:
        """The buffers of an array, which must be of the type `string`."""
        _, offsets, data = texts.buffers()
        if offsets is None or len(texts) == 0:
            return cls(np.zeros(len(texts) + 1, dtype=np.int32), np.empty(0, dtype=np.uint8))
        bounds = np.frombuffer(offsets, dtype=np.int32)[texts.offset :][: len(texts) + 1]
        raw = np.empty(0, np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
        return cls(bounds, raw)

    @property
    def used(self) -> NDArray[np.uint8]:
        """The bytes of all texts."""
        return self.data[self.offsets[0] : self.offsets[-1]]

    @property
    def lengths(self) -> NDArray[np.int32]:
        """In bytes."""
        found: NDArray[np.int32] = np.diff(self.offsets)
        return found

    @property
    def may_have_spaces(self) -> bool:
        """False where every byte is a plain character."""
        beyond = np.uint8(_LAST_PLAIN - _FIRST_PLAIN)
        return bool(((self.used - np.uint8(_FIRST_PLAIN)) > beyond).any())

    @property
    def has_zeros(self) -> bool:
        """Whether there is a zero character."""
        return bool((self.used == 0).any())


def trimmed(texts: pa.StringArray) -> pa.StringArray:
    """Without surrounding white space; null where nothing is left."""
    if TextBuffer.of(texts).may_have_spaces:
        texts = pc.utf8_trim_whitespace(texts)
    filled = TextBuffer.of(texts).lengths > 0
    if filled.all():
        return texts
    valid = filled & texts.is_valid().to_numpy(zero_copy_only=False)
    if texts.offset:
        return pc.if_else(pa.array(valid), texts, None)
    _, offsets, data = texts.buffers()
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(len(texts), offsets, data, bits)
