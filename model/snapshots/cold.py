"""The rows that a snapshot leaves out: who had no event within the lookback before a cutoff."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.config import Config
from model.snapshots.fold_parts import FoldPart
from model.snapshots.label_table import LabelTable
from model.snapshots.labels import has_label
from model.snapshots.random_parts import RandomPart
from model.snapshots.reader import Codes, SnapshotReader
from model.snapshots.snapshot import Snapshot, labels_of
from model.tasks import EntityKind, Task


def take_cold_snapshot(
    reader: SnapshotReader,
    entity: EntityKind,
    tasks: Sequence[Task],
    part: FoldPart,
    config: Config,
    rng: np.random.Generator,
) -> Snapshot | None:
    """The cold rows of a part's last cutoff, at most `config.max_scored_rows`.

    Returns:
        None of pairs, in a log without times, and where nobody is cold or no task has a label.
    """
    cutoff_us = part.cutoffs_us[-1]
    labelled = [task for task in tasks if has_label(task, cutoff_us, part.label_end_us)]
    if entity == "pair" or isinstance(part, RandomPart) or not labelled:
        return None
    codes = cold_entities(reader, entity, cutoff_us, config.lookback_days)
    if len(codes) > config.max_scored_rows:
        codes = np.sort(rng.choice(codes, size=config.max_scored_rows, replace=False))
    if not len(codes):
        return None
    read = reader.user_inputs if entity == "user" else reader.item_inputs
    inputs = read(codes, cutoff_us)
    labels = labels_of(reader, entity, inputs, part.label_end_us)
    return Snapshot(
        entity=entity,
        inputs=inputs,
        labels=LabelTable.of((task.name, labels.of(task)) for task in tasks),
        weights=np.ones(len(codes), dtype=np.float32),
    )


def cold_entities(
    reader: SnapshotReader, entity: EntityKind, cutoff_us: int, lookback_days: float
) -> Codes:
    """Who was known before the cutoff, by an older event or by attributes, but not active.

    An entity that only later events tell of is left out: nobody could have asked for it, and it
    surely has an event.
    """
    log = reader.log
    table, events = (
        (log.users, log.user_events) if entity == "user" else (log.items, log.item_events)
    )
    codes = np.arange(len(table), dtype=np.int64)
    known = events.position(codes, cutoff_us) > events.offsets[:-1]
    known |= table.attributes.notna().any(axis=1).to_numpy(dtype=bool)
    known[reader.active(entity, cutoff_us, lookback_days)] = False
    return np.flatnonzero(known).astype(np.int64)
