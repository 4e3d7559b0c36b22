"""The last events of a user before a cutoff, gathered per batch and never stored."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED
from model.events import EntityEvents
from model.snapshots.history import History
from model.snapshots.sequence_gathering import gather, gather_in_numpy

PADDING = 0
"""The code of an event that is not there."""
_CELLS_AT_ONCE = 1 << 16
"""Events of so many places are read together: they stay in the processor's cache."""


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

    def take(self, rows: NDArray[np.integer] | slice) -> Sequences:
        """Those of some rows."""
        return Sequences(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def interleaved(
        cls, is_first: NDArray[np.bool_], first: Sequences, second: Sequences
    ) -> Sequences:
        """Rows of both, each in its order; `is_first` says of each row where it comes from."""
        columns = []
        for f in fields(cls):
            one, other = getattr(first, f.name), getattr(second, f.name)
            both = np.empty((len(is_first), one.shape[1]), dtype=one.dtype)
            both[is_first], both[~is_first] = one, other
            columns.append(both)
        return cls(*columns)


class SequenceReader:
    """Gathers sequences from the users' history, in the codes that a model knows.

    Args:
        history: the users' history.
        item_codes: (items,) the model's code of each of the log's items.
        event_types: the types the model knows; events of others count as padding.
        length: L.
        use_compiler: without it NumPy gathers the same.
    """

    def __init__(
        self,
        history: History,
        item_codes: NDArray[np.int64],
        event_types: tuple[str, ...],
        length: int,
        *,
        use_compiler: bool = COMPILED,
    ) -> None:
        log = history.log
        self._events = history.index
        self._length = length
        self._gather = gather if use_compiler else gather_in_numpy
        codes = [event_types.index(n) + 1 if n in event_types else PADDING for n in log.event_types]
        self._type_codes = np.array(codes, dtype=np.int64)
        self._item_codes = np.append(item_codes, 0)  # no item, -1, reads the last entry

    def one_at_a_time(self, events: EntityEvents) -> OneSequence:
        """For users that come one by one, each with its events in the first slots of these."""
        return OneSequence(events, self._item_codes, self._type_codes, self._length)

    def read(
        self,
        users: NDArray[np.int64],
        ends: NDArray[np.int64],
        cutoffs_us: NDArray[np.int64],
        events: EntityEvents | None = None,
    ) -> Sequences:
        """The last events before each row's end slot.

        Args:
            users: (R,) codes.
            ends: (R,) first slot after the cutoff, from `History.end`.
            cutoffs_us: (R,)
            events: other ones than the history's, of the same items and types.
        """
        events = self._events if events is None else events
        shape = (len(users), self._length)
        starts = np.maximum(events.starts(users), ends - self._length)
        items, types = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        gaps, amounts = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        step = max(1, _CELLS_AT_ONCE // self._length)
        for first in range(0, len(users), step):
            rows = slice(first, first + step)
            sizes = np.empty((2, *gaps[rows].shape))
            self._gather(
                starts[rows],
                ends[rows],
                cutoffs_us[rows],
                np.asarray(events.time_us),
                np.asarray(events.event_type),
                np.asarray(events.counterpart),
                np.asarray(events.value_cents),
                self._item_codes,
                self._type_codes,
                items[rows],
                types[rows],
                sizes,
                amounts[rows],
            )
            gaps[rows], money = np.log1p(sizes, out=sizes)
            np.multiply(amounts[rows], money, out=amounts[rows], casting="same_kind")
        return Sequences(items=items, types=types, gaps=gaps, amounts=amounts)


class OneSequence:
    """What `SequenceReader` reads, of one user; for one thread.

    Args:
        events: those of each user in turn stand in the first slots.
        item_codes: the model's; the last entry is for no item.
        type_codes: the model's.
        length: L.
    """

    def __init__(
        self,
        events: EntityEvents,
        item_codes: NDArray[np.int64],
        type_codes: NDArray[np.int64],
        length: int,
    ) -> None:
        self._length = length
        self._start, self._end, self._cutoff = np.zeros((3, 1), dtype=np.int64)
        self._codes = np.empty((2, 1, length), dtype=np.int64)
        self._sizes = np.empty((2, 1, length))
        self._signs = np.empty((1, length), dtype=np.float32)
        self._arguments = (
            *(self._start, self._end, self._cutoff),
            *(np.asarray(events.time_us), np.asarray(events.event_type)),
            *(np.asarray(events.counterpart), np.asarray(events.value_cents)),
            *(item_codes, type_codes, *self._codes, self._sizes, self._signs),
        )
        self._gather = gather.looked_at(*self._arguments)

    def read(self, end: int, cutoff_us: int) -> Sequences:
        """The last events before a slot.

        Args:
            end: the first slot after the cutoff.
            cutoff_us: when.
        """
        self._start[0] = max(0, end - self._length)
        self._end[0], self._cutoff[0] = end, cutoff_us
        self._gather(*self._arguments)
        items, types = self._codes.copy()
        gaps, money = np.log1p(self._sizes, out=self._sizes)
        amounts = np.empty_like(self._signs)
        np.multiply(self._signs, money, out=amounts, casting="same_kind")
        return Sequences(items=items, types=types, gaps=gaps.astype(np.float32), amounts=amounts)
