"""The snapshot benchmark in the service's own code: the same reader that trains and serves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import starmap
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import snapshot_task as task
from benchmarks.snapshot_task import EVENT_TYPES, Part
from model.events import Entities, EventLog
from model.events.coded import CodedEvents, log_of_coded
from model.snapshots import SnapshotPlan
from model.snapshots.declarations import declared
from model.snapshots.features import FeaturePlan
from model.snapshots.streaming import Block, Stream, blocks_of
from model.tasks import EntityKind

THREADS = 2
_SIDES: tuple[Literal["user", "item"], ...] = ("user", "item")
_BATCH_ROWS = 1 << 17
_BUFFER_BYTES = 1 << 18
_AHEAD = 3
_SHARES = (("time",), ("user", "item", "event_type", "quantity", "price"))
"""Columns that are decoded at the same time; each share takes about as long."""


def snapshots(path: Path, cutoffs: int) -> Iterator[Part]:
    """All parts of the task, in blocks of rows."""
    log = read_log(path)
    plan = plan_of(log)
    moments = task.cutoffs_us(log.last_us, cutoffs)
    tasks = {
        entity: [asked for asked in task.TASKS if asked.entity == entity]
        for entity in task.ENTITIES
    }
    streams = [Stream(log, plan, entity, tasks[entity], moments, log.last_us) for entity in _SIDES]
    yield from map(_part, blocks_of(streams, threads=THREADS))


def read_log(path: Path) -> EventLog:
    """The raw columns as a log."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    users, items = (max(group.column(c).statistics.max for group in groups) + 1 for c in (0, 1))
    log = log_of_coded(
        starmap(_coded, zip(*(_decoded(path, columns) for columns in _SHARES), strict=True)),
        metadata.num_rows,
        users=_entities(users),
        items=_entities(items),
        event_types=EVENT_TYPES,
    )
    # What the decoder keeps for a next file would count as ours.
    pa.default_memory_pool().release_unused()
    return log


def _decoded(path: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """Some batches are decoded while one is worked on."""
    # Read by and by: whole column chunks would be memory that is touched for the first time.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
        batches = file.iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False)
        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(next, batches, None) for _ in range(_AHEAD))
            while (batch := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, batches, None))
                yield batch


def _coded(times: pa.RecordBatch, others: pa.RecordBatch) -> CodedEvents:
    return CodedEvents(
        user=others["user"].to_numpy(),
        item=others["item"].to_numpy(),
        time_us=times["time"].view("int64").to_numpy(),
        event_type=others["event_type"].to_numpy(),
        quantity=others["quantity"].to_numpy(zero_copy_only=False),
        price=others["price"].to_numpy(),
    )


def _entities(size: int) -> Entities:
    ids = pc.utf8_lpad(pa.array(np.arange(size)).cast(pa.large_string()), 8, "0")
    return Entities(
        ids=pd.Index(pd.array(ids, dtype="str")), attributes=pd.DataFrame(index=range(size))
    )


def plan_of(log: EventLog) -> SnapshotPlan:
    """What the service is asked to read: the columns of the task, every item, four event types."""
    return SnapshotPlan(
        users=_features("user"),
        items=_features("item"),
        item_ids=tuple(log.items.ids),
        sequence_length=task.SEQUENCE_LENGTH,
    )


def _features(entity: EntityKind) -> FeaturePlan:
    return FeaturePlan(
        entity=entity,
        event_types=EVENT_TYPES,
        windows_days=task.WINDOWS_DAYS,
        has_value=True,
        has_quantity=True,
        has_price=True,
        has_annual_calendar=False,
        seasons=(),
        numbers=(),
        categories={},
        only=task.aggregate_names(entity),
    )


@cache
def _names(entity: EntityKind) -> tuple[str, ...]:
    return tuple(declaration.feature.name for declaration in declared(_features(entity)))


def _part(block: Block) -> Part:
    snapshot, arrays = block.snapshot, block.arrays
    entity, inputs = snapshot.entity, snapshot.inputs
    columns = {name: inputs.numbers[:, n] for n, name in enumerate(_names(entity))}
    labels = dict(snapshot.labels)
    if entity == "item":
        return Part(entity, inputs.cutoffs_us, inputs.items, columns | labels, {})
    lengths = np.count_nonzero(arrays["types"], axis=1)
    sequences = {name: arrays[name] for name in task.SEQUENCE_COLUMNS}
    # The codes of the model begin at one, zero is padding.
    return Part(
        entity, inputs.cutoffs_us, inputs.users, columns | labels, sequences, lengths, first_code=1
    )
