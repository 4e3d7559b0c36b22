"""The order of events: by time, and at one moment by what they are, so that it does not matter in
which order they were written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.intp]

TIE_COLUMNS = ("user", "item", "event_type", "units", "price_cents", "value_cents")
"""What decides at one moment; codes and types are in the order of their names."""


def ties_broken(order: Order, time_us: NDArray[np.int64], columns: Sequence[NDArray[Any]]) -> Order:
    """The same order, events of one moment by the columns; like events stay as they are.

    Args:
        order: of the events by time.
        time_us: (N,) before the ordering.
        columns: (N,) each, the first decides first; `TIE_COLUMNS`.
    """
    places = tied(time_us[order])
    if not len(places):
        return order
    rows = order[places]
    broken = order.copy()
    broken[places] = rows[tie_order(time_us[rows], [column[rows] for column in columns])]
    return broken


def tied(sorted_us: NDArray[np.int64]) -> Order:
    """Where there are several events at one moment."""
    is_same = sorted_us[1:] == sorted_us[:-1]
    if not is_same.any():
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.append(is_same, False) | np.append(False, is_same))


def tie_order(time_us: NDArray[np.int64], columns: Sequence[NDArray[Any]]) -> Order:
    """How events come to stand, by time and then by the columns."""
    return np.lexsort([*reversed(columns), time_us])
