"""Finds the first event after a cutoff among those of an entity: the rule of before and after.

And places in a list that ascends, where what is looked for mostly ascends too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as

Longs = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

_LONGS = "Array(int64, 1, 'C', readonly=True)"
_INTS = "Array(int32, 1, 'C', readonly=True)"


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


def places_from(ascending: Codes, numbers: Codes) -> Longs:
    """`np.searchsorted`, for numbers that mostly ascend: each is looked for near the last one.

    Args:
        ascending: (K,)
        numbers: (R,) of the same type.

    Returns:
        (R,) the first place that is not below the number.
    """
    if not COMPILED or ascending.dtype != np.int32:  # a log of billions
        return np.searchsorted(ascending, numbers)
    places = np.empty(len(numbers), dtype=np.int64)
    _look_nearby(np.asarray(ascending), np.asarray(numbers), places)
    return places


@compiled_as(f"void({_INTS}, {_INTS}, Array(int64, 1, 'C'))")
def _look_nearby(ascending: Codes, numbers: Codes, places: Longs) -> None:
    last = 0
    for row in range(len(numbers)):
        number = numbers[row]
        low, high, step = last, last, 1
        if last > 0 and ascending[last - 1] >= number:
            low, high = 0, last - 1
        while high < len(ascending) and ascending[high] < number:
            low = high + 1
            high += step
            step += step
        high = min(high, len(ascending))
        while low < high:
            middle = (low + high) >> 1
            if ascending[middle] < number:
                low = middle + 1
            else:
                high = middle
        places[row] = last = low
