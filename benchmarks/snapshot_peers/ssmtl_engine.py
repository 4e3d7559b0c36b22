"""The snapshot benchmark in the service's own code: the same reader that trains and serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import snapshot_task as task
from benchmarks.snapshot_task import EVENT_TYPES, Part
from model.config import Config
from model.events import Entities, EventLog
from model.events.coded import CodedEvents, log_of_coded
from model.snapshots import SnapshotPlan, SnapshotReader
from model.snapshots.snapshot import labels_at

_BATCH_ROWS = 1 << 19


def snapshots(path: Path, cutoffs: int) -> Iterator[Part]:
    """All parts of the task, in blocks of rows."""
    log = read_log(path)
    moments = task.cutoffs_us(log.last_us, cutoffs)
    reader = SnapshotReader(log, plan_of(log, moments[-1]))
    for entity in task.ENTITIES:
        for cutoff_us in moments:
            yield _part(reader, entity, cutoff_us)


def read_log(path: Path) -> EventLog:
    """The raw columns as a log."""
    file = pq.ParquetFile(path)
    largest = [
        max(file.metadata.row_group(g).column(c).statistics.max for g in range(file.num_row_groups))
        for c in (0, 1)
    ]
    return log_of_coded(
        _batches(file),
        file.metadata.num_rows,
        users=_entities(largest[0] + 1),
        items=_entities(largest[1] + 1),
        event_types=EVENT_TYPES,
    )


def _batches(file: pq.ParquetFile) -> Iterator[CodedEvents]:
    for batch in file.iter_batches(_BATCH_ROWS, columns=list(task.RAW_COLUMNS)):
        quantity = pc.fill_null(batch["quantity"], np.nan)
        yield CodedEvents(
            user=batch["user"].to_numpy(),
            item=batch["item"].to_numpy(),
            time_us=batch["time"].cast("int64").to_numpy(),
            event_type=batch["event_type"].to_numpy(),
            quantity=quantity.to_numpy(),
            price=batch["price"].to_numpy(),
        )


def _entities(size: int) -> Entities:
    ids = pd.Index([f"{code:08d}" for code in range(size)], dtype="str")
    return Entities(ids=ids, attributes=pd.DataFrame(index=range(size)))


def plan_of(log: EventLog, until_us: int) -> SnapshotPlan:
    """What the service would read of this log; all items are known, types in the log's order."""
    config = Config(sequence_length=task.SEQUENCE_LENGTH)
    learned = SnapshotPlan.from_log(log, task.TASKS, config, until_us)
    in_order = {"event_types": EVENT_TYPES}
    return learned.model_copy(
        update={
            "users": learned.users.model_copy(update=in_order),
            "items": learned.items.model_copy(update=in_order),
            "item_ids": tuple(log.items.ids),
        }
    )


def _part(reader: SnapshotReader, entity: str, cutoff_us: int) -> Part:
    codes = reader.active(entity, cutoff_us, task.LOG_DAYS)
    read = reader.user_inputs if entity == "user" else reader.item_inputs
    inputs = read(codes, cutoff_us)
    labels = labels_at(reader, entity, inputs, cutoff_us, reader.log.last_us)
    names = [feature.name for feature in reader.features(entity)]
    place = {name: column for column, name in enumerate(names)}
    columns = {name: inputs.numbers[:, place[name]] for name in task.aggregate_names(entity)}
    columns |= {asked.name: labels.of(asked) for asked in task.TASKS if asked.entity == entity}
    if entity == "item":
        return Part(entity, cutoff_us, codes, columns, {})
    arrays = reader.arrays(inputs)
    there = arrays["types"] > 0
    sequences = {name: arrays[name][there] for name in task.SEQUENCE_COLUMNS}
    sequences["items"] = sequences["items"] - 1
    sequences["types"] = sequences["types"] - 1
    return Part(entity, cutoff_us, codes, columns, sequences, there.sum(axis=1))
