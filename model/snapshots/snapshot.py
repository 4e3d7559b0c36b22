"""Snapshots: the inputs and labels of many entities at some cutoffs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.config import Config
from model.snapshots import read_rows
from model.snapshots.fold_parts import FoldPart
from model.snapshots.history import Rows
from model.snapshots.inputs import Inputs
from model.snapshots.label_table import LabelTable
from model.snapshots.labels import Label, Labels, has_label
from model.snapshots.outcomes import Asked, Outcomes
from model.snapshots.pairs import PairRows, sample_pairs
from model.snapshots.random_parts import RandomPart
from model.snapshots.reader import SnapshotReader
from model.snapshots.timeless import TimelessReader
from model.tasks import Column, EntityKind, Task


@dataclass(frozen=True)
class Snapshot:
    """Rows of one entity kind with what happened next.

    Attributes:
        entity: the kind.
        inputs: R rows.
        labels: per task, see `Labels.of`.
        weights: (R,) how many entities of the population each row stands for.
    """

    entity: EntityKind
    inputs: Inputs
    labels: Mapping[str, Label]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weights)


def take_snapshot(
    reader: SnapshotReader,
    entity: EntityKind,
    tasks: Sequence[Task],
    part: FoldPart,
    config: Config,
    rng: np.random.Generator,
) -> Snapshot | None:
    """The rows of a part: entities active before each cutoff, at most `config.max_rows` in all.

    In a log without times: the events of the part's entities.

    Returns:
        None where no entity is active or no task has a label.
    """
    if isinstance(part, RandomPart):
        assert isinstance(reader, TimelessReader)
        return _events_of(reader, entity, tasks, part, config.max_rows, rng)
    labelled = {
        cutoff_us: found
        for cutoff_us in part.cutoffs_us
        if (found := [task for task in tasks if has_label(task, cutoff_us, part.label_end_us)])
    }
    share = config.max_rows // len(part.cutoffs_us)
    if entity == "pair":
        taken = _pairs(reader, labelled, share, config, rng)
    else:
        taken = _entities(reader, entity, labelled, share, config, rng)
    if taken is None:
        return None
    labels = labels_of(reader, entity, taken.inputs, part.label_end_us)
    return Snapshot(
        entity=entity,
        inputs=taken.inputs,
        labels=LabelTable.of(((task.name, labels.of(task)) for task in tasks), taken.lengths),
        weights=taken.weights,
    )


def labels_of(
    reader: SnapshotReader, entity: EntityKind, rows: Inputs | read_rows.Rows, label_end_us: int
) -> Labels:
    """The labels of some rows."""
    asked = Asked(entity, rows.users, rows.items, rows.cutoffs_us)
    codes = {"user": rows.users, "item": rows.items}.get(entity)
    if codes is None:
        codes = reader.pair_index.codes(rows.users, rows.items)
    outcomes = Outcomes(reader.history(entity).index, codes, asked)
    return Labels(outcomes, reader.choices_of(entity), reader.plan.classes, label_end_us)


def _events_of(
    reader: TimelessReader,
    entity: EntityKind,
    tasks: Sequence[Task],
    part: RandomPart,
    limit: int,
    rng: np.random.Generator,
) -> Snapshot | None:
    """The events of a part that say what a task asks for."""
    columns = {task.name: task.target for task in tasks if isinstance(task.target, Column)}
    classes = reader.plan.classes
    labels = {
        name: reader.labels(target, classes.get(name, ())) for name, target in columns.items()
    }
    says = ~np.isnan(np.stack(list(labels.values()))).all(axis=0)
    rows = np.flatnonzero(part.rows(reader.log, entity) & says)
    if len(rows) > limit:
        rows = np.sort(rng.choice(rows, size=limit, replace=False))
    if not len(rows):
        return None
    return Snapshot(
        entity=entity,
        inputs=reader.event_inputs(entity, rows, part.known(reader.log, entity)),
        labels=LabelTable.of((n, values[rows].astype(np.float32)) for n, values in labels.items()),
        weights=np.ones(len(rows), dtype=np.float32),
    )


@dataclass(frozen=True)
class _Taken:
    """Rows of all cutoffs, read together: events are walked once, whatever the number of cutoffs.

    Attributes:
        inputs: R rows, those of a cutoff side by side.
        weights: (R,) how many entities each stands for.
        lengths: how many rows each cutoff has, of those that have some.
    """

    inputs: Inputs
    weights: NDArray[np.float32]
    lengths: list[int]


def _entities(
    reader: SnapshotReader,
    entity: Literal["user", "item"],
    cutoffs_us: Iterable[int],
    limit: int,
    config: Config,
    rng: np.random.Generator,
) -> _Taken | None:
    """So many at each cutoff, None where there are none at all."""
    asked: dict[int, NDArray[np.int64]] = {}
    for cutoff_us in cutoffs_us:
        codes = reader.active(entity, cutoff_us, config.lookback_days)
        if len(codes) > limit:
            codes = np.sort(rng.choice(codes, size=limit, replace=False))
        if len(codes):
            asked[cutoff_us] = codes
    if not asked:
        return None
    lengths = [len(codes) for codes in asked.values()]
    read = reader.user_inputs if entity == "user" else reader.item_inputs
    inputs = read(np.concatenate([*asked.values()]), np.repeat(list(asked), lengths))
    return _Taken(inputs, np.ones(len(inputs), dtype=np.float32), lengths)


def _pairs(
    reader: SnapshotReader,
    labelled: Mapping[int, Sequence[Task]],
    limit: int,
    config: Config,
    rng: np.random.Generator,
) -> _Taken | None:
    """About so many at each cutoff, by the tasks that have labels there; None without any."""
    per_user = config.pair_history + config.pair_negatives
    asked: dict[int, PairRows] = {}
    for cutoff_us, tasks in labelled.items():
        users = reader.active("user", cutoff_us, config.lookback_days)
        if len(users) * per_user > limit:
            users = np.sort(rng.choice(users, size=max(1, limit // per_user), replace=False))
        pairs = sample_pairs(
            reader.users,
            reader.items,
            Rows(users, cutoff_us),
            max(task.end_days for task in tasks),
            history_limit=config.pair_history,
            negatives=config.pair_negatives,
            rng=rng,
        )
        if len(pairs.users):
            asked[cutoff_us] = pairs
    if not asked:
        return None
    lengths = [len(pairs.users) for pairs in asked.values()]
    inputs = reader.pair_inputs(
        np.concatenate([pairs.users for pairs in asked.values()]),
        np.concatenate([pairs.items for pairs in asked.values()]),
        np.repeat(list(asked), lengths),
    )
    return _Taken(inputs, np.concatenate([pairs.weights for pairs in asked.values()]), lengths)
