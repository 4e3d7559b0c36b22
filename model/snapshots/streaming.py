"""Snapshots of all entities at all cutoffs, in blocks: memory does not grow with their number.

A block is some entities with all their events and all their rows. It is read by a reader of its
own, which has no more than these events, and dropped when the next ones are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.events import EntityEvents, EventLog
from model.events.packed import PackedIndex
from model.snapshots.features import SnapshotPlan
from model.snapshots.reader import SnapshotReader
from model.snapshots.snapshot import Snapshot, labels_of
from model.tasks import Task

EVENTS_AT_ONCE = 1 << 18
_EVENTS_PER_ROW = 16
"""A row takes about as much memory as so many events."""
_ALLOCATION_BYTES = 31 << 20
"""Just below the largest that glibc lets its thresholds follow."""


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
        """All entities at the cutoffs that they have events before; see `blocks_of`."""
        return blocks_of([self], events_at_once, threads)

    def work(
        self, index: EntityEvents | PackedIndex, events_at_once: int
    ) -> Iterator[Callable[[], Block]]:
        """What makes each block."""
        if not len(self.log) or len(index.offsets) == 1:
            return
        weights = np.diff(index.offsets) + _EVENTS_PER_ROW * len(self.cutoffs_us)
        block_of = (np.cumsum(weights) - weights) // events_at_once
        starts = np.searchsorted(block_of, np.arange(int(block_of[-1]) + 2)).tolist()
        whole = SnapshotReader(self.log, self.plan)
        for first, stop in pairwise(starts):
            yield partial(self._block, whole, partial(index.stretch, first, stop))

    def index(self) -> EntityEvents | PackedIndex:
        """The events of each entity; of a packed log without an index nothing more is kept."""
        log, of_user = self.log, self.entity == "user"
        if log.packed is not None and f"{self.entity}_events" not in vars(log):
            return log.packed.index(self.entity)
        return log.user_events if of_user else log.item_events

    def _block(self, whole: SnapshotReader, events_of: Callable[[], EntityEvents]) -> Block:
        events = events_of()
        reader = whole.part(self.entity, events)
        moments_us = np.array(self.cutoffs_us, dtype=np.int64)
        codes = np.repeat(np.arange(len(events)) + events.first, len(moments_us))
        cutoffs_us = np.tile(moments_us, len(events))
        known = events.position(codes, cutoffs_us) > events.starts(codes)
        read = reader.user_inputs if self.entity == "user" else reader.item_inputs
        inputs = read(codes[known], cutoffs_us[known])
        labels = labels_of(reader, self.entity, inputs, self.label_end_us)
        snapshot = Snapshot(
            entity=self.entity,
            inputs=inputs,
            labels={task.name: labels.of(task) for task in self.tasks},
            weights=np.ones(len(inputs), dtype=np.float32),
        )
        return Block(snapshot, reader.arrays(inputs))


def blocks_of(
    streams: Sequence[Stream], events_at_once: int = EVENTS_AT_ONCE, threads: int = 1
) -> Iterator[Block]:
    """The blocks of each stream: all entities at the cutoffs that they have events before.

    Args:
        streams: one after the other; their indices are made at the same time.
        events_at_once: bounds the memory of a block; an entity is never cut.
        threads: so many blocks are worked on at a time; one more is in memory.
    """
    _keep_freed_memory()
    if threads == 1:
        for stream in streams:
            yield from (block() for block in stream.work(stream.index(), events_at_once))
        return
    with ThreadPoolExecutor(threads) as pool:
        indices = [pool.submit(stream.index) for stream in streams]
        waiting: deque[Future[Block]] = deque()
        for stream, index in zip(streams, indices, strict=True):
            for block in stream.work(index.result(), events_at_once):
                if len(waiting) > threads:  # one waits while another is looked at
                    yield waiting.popleft().result()
                waiting.append(pool.submit(block))
        while waiting:
            yield waiting.popleft().result()


def _keep_freed_memory() -> None:
    """Have the memory of a block that is dropped at hand for the next, instead of with the system.

    When so large an array has been freed, glibc gives back no smaller ones; it is never touched.
    """
    np.empty(_ALLOCATION_BYTES, dtype=np.uint8)
