"""Room for the events of one entity at a time, filled again and again from an index in files.

Nothing is made anew for an entity: its events are read to where those of the last one were, so that
a call of machine code is all that one costs.
"""

# C columns, S slots

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as
from model.events.arrays import HEAD_BYTES, OpenArrays
from model.events.index import SLOT_COLUMNS, EntityEvents
from model.intrinsics import read_at

ROOM_EVENTS = 4096
"""An entity with more events has no room."""

_WIDEST = 8
_TOO_MANY, _FAILED = -1, -2
_READ_COLUMNS = tuple(name for name in SLOT_COLUMNS if name != "rows")
Longs = NDArray[np.int64]


class EntityRoom:
    """The events of one entity of a stored index; for one thread.

    Attributes:
        events: the entity's stand in the first slots; what follows means nothing. Rows of the log
            are not read.

    Args:
        offsets: the index's file of offsets, `offsets` by name.
        columns: its columns by slot.
    """

    def __init__(self, offsets: OpenArrays, columns: OpenArrays) -> None:
        self._sources = offsets, columns  # keeps the files open
        room = np.zeros((len(_READ_COLUMNS), ROOM_EVENTS * _WIDEST), dtype=np.uint8)
        types = columns.types
        parts: dict[str, Any] = {
            name: row[: ROOM_EVENTS * types[name].itemsize].view(types[name])
            for name, row in zip(_READ_COLUMNS, room, strict=True)
        }
        self.events = EntityEvents(
            offsets=np.array([0, ROOM_EVENTS], dtype=np.int64),
            rows=np.zeros(ROOM_EVENTS, dtype=np.int32),
            **parts,
        )
        self._fixed = (
            offsets.files(["offsets"]),
            columns.files(_READ_COLUMNS),
            np.array([types[name].itemsize for name in _READ_COLUMNS], dtype=np.int64),
            room,
            self.events.time_us,
            np.zeros(2, dtype=np.int64),
        )
        self._read = _read_entity.looked_at(*self._fixed, 0, 0)

    def fill(self, code: int, cutoff_us: int) -> int | None:
        """Read the events of an entity.

        Args:
            code: of the index.
            cutoff_us: what comes later is not looked at.

        Returns:
            The first slot after the cutoff; None for an entity that has too many events.

        Raises:
            OSError: a file has become shorter.
        """
        end = self._read(*self._fixed, code, cutoff_us)
        if end >= 0:
            return end
        if end == _TOO_MANY:
            return None
        raise OSError("a file of an event index has become shorter: it must not change while open")


@compiled_as(
    "int64(Array(int32, 1, 'C', readonly=True), Array(int32, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True), Array(uint8, 2, 'C'), "
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C'), int64, int64)"
)
def _read_entity(
    offsets_file: NDArray[np.int32],
    files_C: NDArray[np.int32],
    sizes_C: Longs,
    room_C: NDArray[np.uint8],
    time_us_S: Longs,
    bounds: Longs,
    code: int,
    cutoff_us: int,
) -> int:
    """The first slot after the cutoff, or why there is none.

    Args:
        offsets_file: its only entry is an open file.
        files_C: open files.
        sizes_C: bytes of an entry of each.
        room_C: is filled.
        time_us_S: the room of that column.
        bounds: room for two offsets.
        code: of the entity.
        cutoff_us: see `EntityRoom.fill`.
    """
    at = np.int64(bounds.ctypes.data)
    if read_at(offsets_file[0], at, np.int64(16), HEAD_BYTES + code * 8) != 16:
        return _FAILED
    start, count = bounds[0], bounds[1] - bounds[0]
    if count > len(time_us_S):
        return _TOO_MANY
    place = np.int64(room_C.ctypes.data)
    for column in range(len(files_C)):
        wanted = count * sizes_C[column]
        if wanted > 0:
            offset = HEAD_BYTES + start * sizes_C[column]
            if read_at(files_C[column], place, wanted, offset) != wanted:
                return _FAILED
        place += room_C.shape[1]
    low, high = 0, int(count)
    while low < high:
        middle = (low + high) >> 1
        if time_us_S[middle] <= cutoff_us:
            low = middle + 1
        else:
            high = middle
    return low
