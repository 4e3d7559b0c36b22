"""Snapshots of all entities at all cutoffs, in blocks: memory does not grow with their number.

A block is some entities with all their events and all their rows. It is read by a reader of its
own, which has no more than these events, and dropped when the next ones are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.events import EventLog
from model.events.counting import counted_events, grouped
from model.snapshots.features import SnapshotPlan
from model.snapshots.labels import Label, PeriodLabels
from model.snapshots.reader import SnapshotReader
from model.snapshots.snapshot import Snapshot, labels_at
from model.tasks import Task

EVENTS_AT_ONCE = 1 << 17
_EVENTS_PER_ROW = 16
"""A row takes about as much memory as so many events."""

Rows = NDArray[np.integer]


@dataclass(frozen=True)
class Block:
    """Some entities' rows; the cutoffs of an entity follow each other.

    Attributes:
        snapshot: inputs and labels.
        arrays: what the network is fed with, see `SnapshotReader.arrays`.
    """

    snapshot: Snapshot
    arrays: dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Stream:
    """What is asked of a log.

    Attributes:
        log: the events.
        plan: what is read of them.
        entity: users or items.
        tasks: whose labels are read; those of the entity.
        cutoffs_us: ascending.
        label_end_us: no event after this may be looked at.
    """

    log: EventLog
    plan: SnapshotPlan
    entity: Literal["user", "item"]
    tasks: Sequence[Task]
    cutoffs_us: Sequence[int]
    label_end_us: int

    def blocks(self, events_at_once: int = EVENTS_AT_ONCE, threads: int = 1) -> Iterator[Block]:
        """All entities at the cutoffs that they have events before.

        Args:
            events_at_once: bounds the memory of a block; an entity is never cut.
            threads: so many blocks are worked on at a time.
        """
        if not len(self.log):
            return
        codes = self.log.user if self.entity == "user" else self.log.item
        entities = len(self.log.users if self.entity == "user" else self.log.items)
        counts = counted_events(codes, entities)
        weights = counts + _EVENTS_PER_ROW * len(self.cutoffs_us)
        block_of = (np.cumsum(weights) - weights) // events_at_once
        blocks = int(block_of[-1]) + 1 if entities else 0
        offsets, rows = grouped(codes, block_of, blocks)
        starts = np.searchsorted(block_of, np.arange(blocks + 1))
        work = (
            (np.arange(starts[block], starts[block + 1]), rows[offsets[block] : offsets[block + 1]])
            for block in range(blocks)
        )
        whole = SnapshotReader(self.log, self.plan)
        if threads == 1:
            yield from (self._block(whole, *part) for part in work)
            return
        with ThreadPoolExecutor(threads) as pool:
            waiting: deque[Future[Block]] = deque()
            for part in work:
                if len(waiting) == threads:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(self._block, whole, *part))
            while waiting:
                yield waiting.popleft().result()

    def _block(self, whole: SnapshotReader, entities: NDArray[np.int64], rows: Rows) -> Block:
        reader = whole.part(self.log.take(rows).indexed_by(self.entity))
        moments_us = np.array(self.cutoffs_us, dtype=np.int64)
        codes = np.repeat(entities, len(moments_us))
        cutoffs_us = np.tile(moments_us, len(entities))
        events = reader.history(self.entity).index
        known = events.position(codes, cutoffs_us) > events.offsets[codes]
        read = reader.user_inputs if self.entity == "user" else reader.item_inputs
        inputs = read(codes[known], cutoffs_us[known])
        labels: dict[str, Label] = {}
        for cutoff_us in self.cutoffs_us:
            at = np.flatnonzero(inputs.cutoffs_us == cutoff_us)
            found = labels_at(reader, self.entity, inputs.take(at), cutoff_us, self.label_end_us)
            for task in self.tasks:
                _put(labels, task.name, found.of(task), at, len(inputs))
        weights = np.ones(len(inputs), dtype=np.float32)
        snapshot = Snapshot(self.entity, inputs, labels, weights)
        return Block(snapshot, reader.arrays(inputs))


def _put(
    labels: dict[str, Label], name: str, label: Label, rows: NDArray[np.int64], size: int
) -> None:
    """Write some rows' labels to their places."""
    if isinstance(label, PeriodLabels):
        if name not in labels:
            empty = np.empty((size, label.amounts.shape[1]), dtype=np.float32)
            labels[name] = PeriodLabels(empty, empty.copy())
        whole = labels[name]
        assert isinstance(whole, PeriodLabels)
        whole.amounts[rows] = label.amounts
        whole.exposure[rows] = label.exposure
        return
    column = labels.setdefault(name, np.empty(size, dtype=np.float32))
    assert not isinstance(column, PeriodLabels)
    column[rows] = label
