"""Arrays in files: written piece by piece, read by ranges or mapped into memory.

The files are ordinary .npy with a head of one size, so that it can be written again when the
length is known.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from model.compiled import COMPILED, compiled_as
from model.events.mapped_files import MAPPED_FILES
from model.intrinsics import read_at

HEAD_BYTES = 128
"""What stands before the first entry."""


@dataclass(frozen=True)
class StoredArray:
    """One column in a file."""

    path: Path
    dtype: np.dtype[Any]
    length: int

    @property
    def bytes(self) -> int:
        """How large the file is, if it is whole."""
        return HEAD_BYTES + self.length * self.dtype.itemsize

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The entries from `start` up to `stop`, in memory of their own."""
        offset = HEAD_BYTES + start * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count=stop - start, offset=offset)

    def mapped(self) -> NDArray[Any]:
        """The whole column, read-only; what is looked at comes into memory by and by."""
        if not self.length:
            return np.empty(0, self.dtype)
        pages = MAPPED_FILES.map(self.path)
        return np.frombuffer(pages, self.dtype, count=self.length, offset=HEAD_BYTES)


class OpenArrays:
    """Columns in open files: few entries here and there are sooner read than mapped.

    Args:
        stored: columns of one length, by name.
    """

    def __init__(self, stored: Mapping[str, StoredArray]) -> None:
        self._stored = dict(stored)
        files = [os.open(one.path, os.O_RDONLY | os.O_CLOEXEC) for one in stored.values()]
        for file in files:
            finalize(self, os.close, file)
        self._files = np.array(files, dtype=np.int32)
        self._sizes = np.array([one.dtype.itemsize for one in stored.values()], dtype=np.int64)

    @property
    def types(self) -> dict[str, np.dtype[Any]]:
        """Of the entries, by the names of the columns."""
        return {name: one.dtype for name, one in self._stored.items()}

    def files(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The numbers of the open files of some columns; they are closed with this object."""
        places = list(self._stored)
        return self._files[[places.index(name) for name in names]]

    def gathered(
        self, starts: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """So many entries of each column from each of the starts on, one after the other.

        Raises:
            OSError: a file has become shorter.
        """
        entries = int(counts.sum())
        room = np.empty(sum(_room(entries * size) for size in self._sizes.tolist()), np.uint8)
        read = _read if COMPILED else _read_one_by_one
        failed = read(self._files, self._sizes, starts, counts, room)
        if failed >= 0:
            path = list(self._stored.values())[failed].path
            raise OSError(f"{path} has become shorter: it must not change while it is open")
        found, place = {}, 0
        for name, one in self._stored.items():
            found[name] = room[place : place + entries * one.dtype.itemsize].view(one.dtype)
            place += _room(entries * one.dtype.itemsize)
        return found


def _room(size: int) -> int:
    """Each column begins where any type may."""
    return -(-size // 8) * 8


@compiled_as(
    "int64(Array(int32, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(uint8, 1, 'C'))"
)
def _read(
    files: NDArray[np.int32],
    sizes: NDArray[np.int64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    room: NDArray[np.uint8],
) -> int:
    """The first file that has too little, -1 if all were read.

    In machine code, since each call of the system in Python lets go of the interpreter, which a
    thread that computes gives back some milliseconds later.
    """
    place = np.int64(room.ctypes.data)
    for file in range(len(files)):
        done = 0
        for row in range(len(starts)):
            wanted = counts[row] * sizes[file]
            if wanted > 0:
                offset = HEAD_BYTES + starts[row] * sizes[file]
                if read_at(files[file], place + done, wanted, offset) != wanted:
                    return file
                done += wanted
        place += (done + 7) // 8 * 8
    return -1


def _read_one_by_one(
    files: NDArray[np.int32],
    sizes: NDArray[np.int64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    room: NDArray[np.uint8],
) -> int:
    """The same without a compiler."""
    place, bounds = 0, list(zip(starts.tolist(), counts.tolist(), strict=True))
    for number, (file, size) in enumerate(zip(files.tolist(), sizes.tolist(), strict=True)):
        for start, count in bounds:
            wanted = room[place : place + count * size].data
            if count and os.preadv(file, [wanted], HEAD_BYTES + start * size) != len(wanted):
                return number
            place += count * size
        place = _room(place)
    return -1


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
    text = repr(described).ljust(HEAD_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")
