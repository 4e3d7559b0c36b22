"""Features and sequence of one entity at a time, in memory that is filled again and again.

A lone prediction costs what is called, not what is computed: here that are a few calls of machine
code on arrays that are made once. They are the functions that many rows are read by, so that the
numbers are the same bit for bit.
"""

# Q tallies, F features, L last events

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.events.entity_room import EntityRoom
from model.events.storage import StoredEvents
from model.snapshots.aggregates import FeatureReader
from model.snapshots.recent import Counterparts
from model.snapshots.sequences import SequenceReader, Sequences

Longs = NDArray[np.int64]


class OneRow(NamedTuple):
    """What was read of one entity.

    Attributes:
        numbers: (1, F)
        end: (1,) the first of its events after the cutoff.
        sequences: of one row; None for an item.
    """

    numbers: NDArray[np.float32]
    end: Longs
    sequences: Sequences | None


class OneRowReader:
    """Reads entities of a stored index that has no newer events of them; for one thread.

    Args:
        events: the index.
        features: of such entities.
        sequences: of users.
    """

    def __init__(
        self, events: StoredEvents, features: FeatureReader, sequences: SequenceReader | None
    ) -> None:
        self._room: EntityRoom = events.one_at_a_time()
        self._features = features.one_at_a_time(self._room.events)
        self._sequences = None
        if sequences is not None:
            self._sequences = sequences.one_at_a_time(self._room.events)

    def read(self, code: int, cutoff_us: int, counterparts: Counterparts) -> OneRow | None:
        """What is known of an entity; None if it has too many events for this.

        Args:
            code: of the index.
            cutoff_us: no event after it is looked at.
            counterparts: what is known of those whom it met.
        """
        end = self._room.fill(code, cutoff_us)
        if end is None:
            return None
        numbers = self._features.read(end, code, cutoff_us, counterparts)
        sequences = None if self._sequences is None else self._sequences.read(end, cutoff_us)
        return OneRow(numbers, np.array([end]), sequences)
