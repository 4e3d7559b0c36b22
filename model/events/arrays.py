"""Arrays in files: written piece by piece, read by ranges or mapped into memory.

The files are ordinary .npy with a head of one size, so that it can be written again when the
length is known.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from model.events.mapped_files import MAPPED_FILES

_HEAD_BYTES = 128


@dataclass(frozen=True)
class StoredArray:
    """One column in a file."""

    path: Path
    dtype: np.dtype[Any]
    length: int

    @property
    def bytes(self) -> int:
        """How large the file is, if it is whole."""
        return _HEAD_BYTES + self.length * self.dtype.itemsize

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The entries from `start` up to `stop`, in memory of their own."""
        offset = _HEAD_BYTES + start * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count=stop - start, offset=offset)

    def mapped(self) -> NDArray[Any]:
        """The whole column, read-only; what is looked at comes into memory by and by."""
        if not self.length:
            return np.empty(0, self.dtype)
        pages = MAPPED_FILES.map(self.path)
        return np.frombuffer(pages, self.dtype, count=self.length, offset=_HEAD_BYTES)

    def opened(self) -> OpenArray:
        """The column, for reading some of its entries now and then."""
        return OpenArray(self)


class OpenArray:
    """A column in an open file: few entries here and there are sooner read than mapped.

    Args:
        stored: which column.
    """

    def __init__(self, stored: StoredArray) -> None:
        self._path = stored.path
        self._dtype = stored.dtype
        self._file = os.open(stored.path, os.O_RDONLY | os.O_CLOEXEC)
        finalize(self, os.close, self._file)

    def gathered(self, starts: list[int], counts: list[int]) -> NDArray[Any]:
        """So many entries from each of the starts on, one after the other."""
        size = self._dtype.itemsize
        found = np.empty(sum(counts), dtype=self._dtype)
        room = memoryview(found.view(np.uint8).data)
        done = 0
        for start, count in zip(starts, counts, strict=True):
            wanted = count * size
            if not wanted:
                continue
            read = os.preadv(self._file, [room[done : done + wanted]], _HEAD_BYTES + start * size)
            if read != wanted:
                raise OSError(
                    f"{self._path} has become shorter: it must not change while it is open"
                )
            done += wanted
        return found


class ArrayWriter:
    """Writes one column from its beginning to its end.

    As a context it lets the file go in any case; the column is complete only after `close`.

    Args:
        path: the file.
        dtype: of the entries.
    """

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        self._path = path
        self._dtype = np.dtype(dtype)
        self._length = 0
        self._file = path.open("wb")
        self._file.write(_head(self._dtype, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, entries: NDArray[Any]) -> None:
        """Write the next entries."""
        # Not `tofile`, whose error does not say that it was the disk that is full.
        self._file.write(np.ascontiguousarray(entries, dtype=self._dtype).view(np.uint8).data)
        self._length += len(entries)

    def close(self) -> StoredArray:
        """The column is complete."""
        with self._file:
            self._file.seek(0)
            self._file.write(_head(self._dtype, self._length))
        return StoredArray(self._path, self._dtype, self._length)


def _head(dtype: np.dtype[Any], length: int) -> bytes:
    described = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    text = repr(described).ljust(_HEAD_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")
