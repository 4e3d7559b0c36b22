"""Finds the first event after a cutoff among those of an entity: the rule of before and after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as

Longs = NDArray[np.int64]

_LONGS = "Array(int64, 1, 'C', readonly=True)"


def first_after(offsets: Longs, time_us: Longs, entities: Longs, cutoffs_us: Longs) -> Longs:
    """The first slot of each entity whose time is greater than the cutoff.

    Args:
        offsets: (E + 1,) of the entities' slots.
        time_us: (N,) ascending within an entity.
        entities: (R,) codes.
        cutoffs_us: (R,)
    """
    search = _one_by_one if COMPILED else all_together
    return search(np.asarray(offsets), np.asarray(time_us), entities, cutoffs_us)


@compiled_as(f"int64[::1]({_LONGS}, {_LONGS}, {_LONGS}, {_LONGS})")
def _one_by_one(offsets: Longs, time_us: Longs, entities: Longs, cutoffs_us: Longs) -> Longs:
    slots = np.empty(len(entities), dtype=np.int64)
    for row in range(len(entities)):
        low, high = offsets[entities[row]], offsets[entities[row] + 1]
        while low < high:
            middle = (low + high) >> 1
            if time_us[middle] <= cutoffs_us[row]:
                low = middle + 1
            else:
                high = middle
        slots[row] = low
    return slots


def all_together(offsets: Longs, time_us: Longs, entities: Longs, cutoffs_us: Longs) -> Longs:
    """`first_after` in NumPy: all rows are halved together, one that is found stays as it is."""
    low, high = offsets[entities], offsets[entities + 1]
    while (searching := low < high).any():
        middle = (low + high) >> 1
        is_before = searching & (time_us[np.where(searching, middle, 0)] <= cutoffs_us)
        low = np.where(is_before, middle + 1, low)
        high = np.where(searching & ~is_before, middle, high)
    return low
