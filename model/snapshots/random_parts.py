"""Folds of a log without times: random by entity, since nothing comes before or after anything.

A row is an event. The entities of each kind are put in a random order, the same every time, and cut
into training, validation and test, so that no user, item or pair has rows in two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.events import EventLog
from model.events.index import packed_pairs
from model.events.log import ROW_COLUMNS
from model.snapshots.fold_parts import Fold, FoldPart
from model.tasks import EntityKind, Task

VALIDATION_FROM, TEST_FROM = 0.7, 0.85
MIN_FOLD_EVENTS = 200
"""Fewer events are all learned from: too few are left to validate."""
_SEED = 20_240_229


@dataclass(frozen=True)
class RandomPart(FoldPart):
    """The entities from one share of the random order up to another.

    What the part may know are the rows of all entities before its end.
    """

    from_share: float
    until_share: float

    def rows(self, log: EventLog, entity: EntityKind) -> NDArray[np.bool_]:
        """(N,) which events are rows of this part."""
        place = places(log, entity)
        return (place >= self.from_share) & (place < self.until_share)

    def known(self, log: EventLog, entity: EntityKind) -> NDArray[np.bool_]:
        """(N,) which events belong to this part or to one before it."""
        place = places(log, entity)
        return (place >= 0) & (place < self.until_share)


def _part(from_share: float, until_share: float) -> RandomPart:
    return RandomPart((0,), 0, from_share, until_share)


EVERYTHING = _part(0, 1)


def random_folds(log: EventLog, tasks: Sequence[Task]) -> tuple[Fold, ...]:
    """One fold of all tasks; none where there are too few events."""
    if len(log) < MIN_FOLD_EVENTS:
        return ()
    parts = _part(0, VALIDATION_FROM), _part(VALIDATION_FROM, TEST_FROM), _part(TEST_FROM, 1)
    return (Fold(tuple(tasks), *parts),)


def some_rows(log: EventLog, rows: NDArray[np.bool_]) -> EventLog:
    """The log of some of the events; codes stay."""
    columns = {
        name: replace(column, data=column.data[rows]) for name, column in log.columns.items()
    }
    own = {name: getattr(log, name)[rows] for name in ROW_COLUMNS}
    return replace(log, columns=columns, **own)


def places(log: EventLog, entity: EntityKind) -> NDArray[np.float64]:
    """(N,) where the event's entity stands in the random order, from 0 to 1; -1 without one."""
    match entity:
        case "user":
            codes = log.user.astype(np.int64)
        case "item":
            codes = log.item.astype(np.int64)
        case "pair":
            distinct, codes = np.unique(packed_pairs(log.user, log.item), return_inverse=True)
            codes = codes - 1 if len(distinct) and distinct[0] == -1 else codes
    count = int(codes.max(initial=-1)) + 1
    order = np.random.default_rng(_SEED).permutation(count) / max(count, 1)
    return np.append(order, -1.0)[codes]
