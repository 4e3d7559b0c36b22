"""Gathers the last events of some rows, once for the compiler and once in NumPy."""

# R = rows, L = length of a sequence, E = events, C = items, T = event types; 2: days and money

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled_as
from model.events import MICROSECONDS_PER_DAY

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

_DAY_US = float(MICROSECONDS_PER_DAY)
_READ_ONLY = "Array({}, 1, 'C', readonly=True)"
_LONGS = _READ_ONLY.format("int64")
_SIGNATURE = ", ".join(
    [
        *[_LONGS] * 4,
        _READ_ONLY.format("int16"),
        _READ_ONLY.format("int32"),
        *[_LONGS] * 3,
        *["Array(int64, 2, 'C')"] * 2,
        "Array(float64, 3, 'C')",
        "Array(float32, 2, 'C')",
    ]
)


@compiled_as(f"void({_SIGNATURE})")
def gather(
    starts_R: Longs,
    ends_R: Longs,
    cutoffs_us_R: Longs,
    time_us_E: Longs,
    event_type_E: NDArray[np.int16],
    counterpart_E: NDArray[np.int32],
    value_cents_E: Longs,
    item_codes_C: Longs,
    type_codes_T: Longs,
    items_RL: Longs,
    types_RL: Longs,
    sizes_2RL: Floats,
    signs_RL: NDArray[np.float32],
) -> None:
    """Fill the last four; where a row has no event they are zero, the sign is one.

    Args:
        starts_R: slot of the first event of each row; no more than L before its end.
        ends_R: the first slot after the cutoff.
        cutoffs_us_R: of the rows.
        time_us_E: with those that follow the events in the order of slots.
        event_type_E: codes of the log.
        counterpart_E: the items, -1 for none.
        value_cents_E: money.
        item_codes_C: the model's codes; the last entry is for no item.
        type_codes_T: the model's codes.
        items_RL: in the model's codes.
        types_RL: in the model's codes.
        sizes_2RL: days from the event to the cutoff, and the money of the event without its sign.
        signs_RL: of the money.
    """
    length = items_RL.shape[1]
    for r in range(len(starts_R)):
        padding = length - (ends_R[r] - starts_R[r])
        items_RL[r, :padding] = 0
        types_RL[r, :padding] = 0
        sizes_2RL[0, r, :padding] = 0.0
        sizes_2RL[1, r, :padding] = 0.0
        signs_RL[r, :padding] = 1.0
        for place in range(padding, length):
            slot = starts_R[r] + place - padding
            items_RL[r, place] = item_codes_C[counterpart_E[slot]]
            types_RL[r, place] = type_codes_T[event_type_E[slot]]
            sizes_2RL[0, r, place] = (cutoffs_us_R[r] - time_us_E[slot]) / _DAY_US
            cents = value_cents_E[slot]
            sizes_2RL[1, r, place] = abs(cents) / 100.0
            signs_RL[r, place] = -1.0 if cents < 0 else 1.0


def gather_in_numpy(
    starts_R: Longs,
    ends_R: Longs,
    cutoffs_us_R: Longs,
    time_us_E: Longs,
    event_type_E: NDArray[np.int16],
    counterpart_E: NDArray[np.int32],
    value_cents_E: Longs,
    item_codes_C: Longs,
    type_codes_T: Longs,
    items_RL: Longs,
    types_RL: Longs,
    sizes_2RL: Floats,
    signs_RL: NDArray[np.float32],
) -> None:
    """The same as `gather`."""
    length = items_RL.shape[1]
    slot_RL = ends_R[:, None] + np.arange(-length, 0)
    row, place = np.nonzero(slot_RL >= starts_R[:, None])
    slot = slot_RL[row, place]
    items_RL[:], types_RL[:], sizes_2RL[:], signs_RL[:] = 0, 0, 0, 1
    items_RL[row, place] = item_codes_C[counterpart_E[slot]]
    types_RL[row, place] = type_codes_T[event_type_E[slot]]
    sizes_2RL[0, row, place] = (cutoffs_us_R[row] - time_us_E[slot]) / _DAY_US
    sizes_2RL[1, row, place] = np.abs(value_cents_E[slot]) / 100.0
    signs_RL[row, place] = np.where(value_cents_E[slot] < 0, -1, 1)
