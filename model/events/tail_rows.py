"""The events of a tail in the order in which they came, and which of them are whose.

Only ever added to: what was read stays as it was. One thread adds, others may read meanwhile; a
reader says how many rows it knows of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.events.index import packed_pairs

Side = Literal["user", "item"]
Longs = NDArray[np.int64]

_ROOM = 1024


@dataclass(frozen=True)
class OwnedRows:
    """Rows of the tail, owner after owner.

    Attributes:
        owner: (n,) ascending, which of those that were asked for.
        rows: (n,) ascending for each owner.
    """

    owner: Longs
    rows: Longs


class TailRows:
    """Columns that grow, and lists of rows."""

    def __init__(self) -> None:
        self._length = 0
        self._columns: dict[str, NDArray[Any]] = {}
        self._of_side: dict[Side, dict[int, list[int]]] = {
            "user": defaultdict(list),
            "item": defaultdict(list),
        }
        self._of_pair: dict[int, list[int]] = defaultdict(list)
        self._is_there: dict[Side, NDArray[np.bool_]] = {
            "user": np.zeros(_ROOM, dtype=bool),
            "item": np.zeros(_ROOM, dtype=bool),
        }

    def __len__(self) -> int:
        return self._length

    def append(
        self, user: NDArray[np.int32], item: NDArray[np.int32], columns: Mapping[str, NDArray[Any]]
    ) -> None:
        """Add events, all columns of the same length."""
        start, stop = self._length, self._length + len(user)
        for name, numbers in {**columns, "user": user, "item": item}.items():
            room = self._columns.get(name)
            if room is None or len(room) < stop:
                grown = np.empty(max(_ROOM, 2 * stop), dtype=numbers.dtype)
                if room is not None:
                    grown[:start] = room[:start]
                self._columns[name] = room = grown
            room[start:stop] = numbers
        rows = range(start, stop)
        _note(self._of_side["user"], user.tolist(), rows)
        _note(self._of_side["item"], item.tolist(), rows)
        _note(self._of_pair, packed_pairs(user, item).tolist(), rows)
        self._mark("user", user)
        self._mark("item", item)
        self._length = stop

    def column(self, name: str) -> NDArray[Any]:
        """One of the columns, by the names of a log; there may be room behind its last row."""
        return self._columns[name]

    def has(self, side: Side, code: int) -> bool:
        """Whether this one has rows."""
        return code in self._of_side[side]

    def have(self, side: Side, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Who of these, in any shape, has rows; nobody, -1, has none."""
        there = self._is_there[side]
        inside = (codes >= 0) & (codes < len(there))
        found: NDArray[np.bool_] = inside & there[np.where(inside, codes, 0)]
        return found

    def have_pairs(self, packed: Longs) -> NDArray[np.bool_]:
        """(R,) which pairs have rows."""
        if not self._of_pair:
            return np.zeros(len(packed), dtype=bool)
        return np.array([pair in self._of_pair for pair in packed.tolist()], dtype=bool)

    def of(self, side: Side, codes: Longs, known: int) -> OwnedRows:
        """The rows of some users or items; of the first `known` rows."""
        return _owned(self._of_side[side], codes, known)

    def of_pairs(self, packed: Longs, known: int) -> OwnedRows:
        """The rows of some pairs; of the first `known` rows."""
        return _owned(self._of_pair, packed, known)

    def _mark(self, side: Side, codes: NDArray[np.int32]) -> None:
        there, most = self._is_there[side], int(codes.max(initial=-1)) + 1
        if most > len(there):
            there = np.zeros(2 * most, dtype=bool)
            there[: len(self._is_there[side])] = self._is_there[side]
        there[codes[codes >= 0]] = True
        self._is_there[side] = there


def _note(of: dict[int, list[int]], owners: list[int], rows: Iterable[int]) -> None:
    for owner, row in zip(owners, rows, strict=True):
        if owner >= 0:
            of[owner].append(row)


def _owned(of: Mapping[int, list[int]], owners: Longs, known: int) -> OwnedRows:
    found: list[int] = []
    counts = np.zeros(len(owners), dtype=np.int64)
    for place, owner in enumerate(owners.tolist()):
        own = of.get(owner)
        if own:
            count = len(own) if own[-1] < known else bisect_left(own, known)
            counts[place] = count
            found += own[:count]
    rows = np.array(found, dtype=np.int64)
    return OwnedRows(np.repeat(np.arange(len(owners)), counts), rows)
