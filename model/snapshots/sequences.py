"""The last events of a user before a cutoff, gathered per batch and never stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY
from model.snapshots.history import History

PADDING = 0
"""The code of an event that is not there."""


@dataclass(frozen=True)
class Sequences:
    """The last L events, the newest at the end, padded in front.

    Attributes:
        items: (R, L) item codes of the model, 0 for padding.
        types: (R, L) event-type codes of the model from 1, 0 for padding.
        gaps: (R, L) log(1 + days) from the event to the cutoff.
        amounts: (R, L) log(1 + money) of the event, with its sign.
    """

    items: NDArray[np.int64]
    types: NDArray[np.int64]
    gaps: NDArray[np.float32]
    amounts: NDArray[np.float32]

    @classmethod
    def empty(cls, rows: int, length: int) -> Sequences:
        """Nothing but padding."""
        codes = np.zeros((rows, length), dtype=np.int64)
        amounts = np.zeros((rows, length), dtype=np.float32)
        return cls(codes, codes, amounts, amounts)


class SequenceReader:
    """Gathers sequences from the users' history, in the codes that a model knows.

    Args:
        history: the users' history.
        item_codes: (items,) the model's code of each of the log's items.
        event_types: the types the model knows; events of others count as padding.
        length: L.
    """

    def __init__(
        self,
        history: History,
        item_codes: NDArray[np.int64],
        event_types: tuple[str, ...],
        length: int,
    ) -> None:
        log = history.log
        self._index = history.index
        self._length = length
        codes = [event_types.index(n) + 1 if n in event_types else PADDING for n in log.event_types]
        self._type_codes = np.array(codes, dtype=np.int64)
        self._item_codes = np.append(item_codes, 0)  # no item, -1, reads the last entry

    def read(
        self, users: NDArray[np.int64], ends: NDArray[np.int64], cutoffs_us: NDArray[np.int64]
    ) -> Sequences:
        """The last events before each row's end slot.

        Args:
            users: (R,) codes.
            ends: (R,) first slot after the cutoff, from `History.end`.
            cutoffs_us: (R,)
        """
        slots = ends[:, None] + np.arange(-self._length, 0)
        there = slots >= self._index.offsets[users][:, None]
        slots = np.where(there, slots, 0)
        if not len(self._index.time_us):
            return Sequences.empty(*slots.shape)
        days = (cutoffs_us[:, None] - self._index.time_us[slots]) / MICROSECONDS_PER_DAY
        money = self._index.value_cents[slots] / 100
        amounts = np.sign(money) * np.log1p(np.abs(money))
        return Sequences(
            items=np.where(there, self._item_codes[self._index.counterpart[slots]], PADDING),
            types=np.where(there, self._type_codes[self._index.event_type[slots]], PADDING),
            gaps=np.where(there, np.log1p(np.maximum(days, 0)), 0).astype(np.float32),
            amounts=np.where(there, amounts, 0).astype(np.float32),
        )
