"""Counting sort: rows to the slots of their entities, each entity's in the order of rows.

Two passes over the codes, no comparison; writing to slots is faster than reading from rows, since
nobody waits for a write. A few rows are not worth a compiler.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled

Scalar = TypeVar("Scalar", bound=np.generic)

_FEW = 1 << 12
"""Fewer rows than these are moved by NumPy: a server that adds a few events needs no compiler."""


def destinations(
    codes: NDArray[np.integer[Any]], entities: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each row goes.

    Args:
        codes: (rows,) entity of each row, -1 for none.
        entities: how many there are.

    Returns:
        offsets (entities + 1,) of the entities' slots, and the slot of each row, -1 for none.
    """
    count = counted if _is_worth_it(len(codes)) else sorted_
    return count(codes, entities)


def moved(column: NDArray[Scalar], to: NDArray[np.int64], slots: int) -> NDArray[Scalar]:
    """(slots,) the column in the order of slots.

    Args:
        column: (rows,)
        to: (rows,) slot of each row, from `destinations`.
        slots: how many there are.
    """
    in_slots = np.empty(slots, dtype=column.dtype)
    if _is_worth_it(len(column)):
        _move(np.asarray(column), to, in_slots)
    else:
        there = to >= 0
        in_slots[to[there]] = column[there]
    return in_slots


def rows_in_order(
    codes: NDArray[np.integer[Any]], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32] | NDArray[np.int64]]:
    """The rows of the first entity, of the second and so on; ascending in each.

    Args:
        codes: (rows,) entity of each row, -1 for none.
        counts: (entities,) how many rows each has.

    Returns:
        offsets (entities + 1,) of the entities' slots, and the row of each slot.
    """
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    if not COMPILED:
        present = np.flatnonzero(codes >= 0)
        return offsets, present[np.argsort(codes[present], kind="stable")]
    rows = np.empty(offsets[-1], dtype=np.int32 if len(codes) < 2**31 else np.int64)
    _put_rows(np.asarray(codes), offsets[:-1].copy(), rows)
    return offsets, rows


def count(codes: NDArray[np.integer[Any]], counts: NDArray[np.int64]) -> None:
    """Add to `counts`, (entities,), how many rows each has.

    Args:
        codes: (rows,) entity of each row, -1 for none.
        counts: so far.
    """
    if COMPILED:
        _count(np.asarray(codes), counts)
    else:
        counts += np.bincount(codes[codes >= 0], minlength=len(counts))


def _is_worth_it(rows: int) -> bool:
    return COMPILED and rows >= _FEW


@compiled
def _count(codes: NDArray[np.integer[Any]], counts: NDArray[np.int64]) -> None:
    for row in range(len(codes)):
        if codes[row] >= 0:
            counts[codes[row]] += 1


@compiled
def _put_rows(
    codes: NDArray[np.integer[Any]], free: NDArray[np.int64], rows: NDArray[np.integer[Any]]
) -> None:
    for row in range(len(codes)):
        if codes[row] >= 0:
            rows[free[codes[row]]] = row
            free[codes[row]] += 1


@compiled
def counted(
    codes: NDArray[np.integer[Any]], entities: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`destinations` by counting."""
    offsets = np.zeros(entities + 1, dtype=np.int64)
    for row in range(len(codes)):
        if codes[row] >= 0:
            offsets[codes[row] + 1] += 1
    for entity in range(entities):
        offsets[entity + 1] += offsets[entity]
    free = offsets[:-1].copy()
    to = np.full(len(codes), -1, dtype=np.int64)
    for row in range(len(codes)):
        code = codes[row]
        if code >= 0:
            to[row] = free[code]
            free[code] += 1
    return offsets, to


def sorted_(
    codes: NDArray[np.integer[Any]], entities: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`destinations` by sorting: for when there is no compiler."""
    present = np.flatnonzero(codes >= 0)
    # One sort of (entity, row) packed in an int64 is several times faster than a stable argsort.
    packed = (codes[present].astype(np.int64) << 32) | present
    packed.sort()
    offsets = np.searchsorted(packed >> 32, np.arange(entities + 1)).astype(np.int64)
    to = np.full(len(codes), -1, dtype=np.int64)
    to[packed & 0xFFFFFFFF] = np.arange(len(packed))
    return offsets, to


def taken(column: NDArray[Scalar], rows: NDArray[np.integer[Any]]) -> NDArray[Scalar]:
    """(rows,) the entries at these rows, which are not negative."""
    if not _is_worth_it(len(rows)):
        found: NDArray[Scalar] = column[rows]
        return found
    entries: NDArray[Scalar] = np.empty(len(rows), dtype=column.dtype)
    _take(np.asarray(column), np.asarray(rows), entries)
    return entries


@compiled
def _take(
    column: NDArray[Scalar], rows: NDArray[np.integer[Any]], entries: NDArray[Scalar]
) -> None:
    for place in range(len(rows)):
        entries[place] = column[rows[place]]


@compiled
def _move(column: NDArray[Scalar], to: NDArray[np.int64], in_slots: NDArray[Scalar]) -> None:
    for row in range(len(column)):
        if to[row] >= 0:
            in_slots[to[row]] = column[row]
