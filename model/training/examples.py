"""A snapshot as tensors that batches are selected from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Group, Layout, Scale
from model.evaluation.learned_units import in_learned_units
from model.network import Batch, SomeTasks
from model.snapshots import (
    Forecast,
    Inputs,
    LabelTable,
    Outlook,
    OutlookColumns,
    Piece,
    Snapshot,
    SnapshotReader,
)
from model.tasks import Task
from model.training.compact_labels import CompactLabels


@dataclass(frozen=True)
class Examples:
    """All rows of one entity kind.

    Attributes:
        inputs: R rows; the sequences are gathered per batch.
        reader: gathers them.
        layout: the tasks.
        compact: their labels, per group of the layout.
        weights: (R,) mean 1.
        naive: (R, parameters) log shares per task that has a forecast.
        outlooks: per `outlook_key`, what the shop expects, or in training what came true.
    """

    inputs: Inputs
    reader: SnapshotReader
    layout: Layout
    compact: tuple[CompactLabels, ...]
    weights: Tensor
    naive: Mapping[str, NDArray[np.float32]]
    outlooks: Mapping[str, Outlook]

    def __len__(self) -> int:
        return len(self.inputs)

    @cached_property
    def labels(self) -> list[Tensor]:
        """All labels per group, see `negative_log_likelihood`: not for many tasks at once."""
        return self.labels_of(slice(None))

    @cached_property
    def offsets(self) -> Tensor:
        """(R, columns) what is added to the network's output, see `offsets_of`."""
        return self.offsets_of(slice(None))

    def labels_of(
        self, rows: NDArray[np.integer] | slice, some: SomeTasks | None = None
    ) -> list[Tensor]:
        """The labels of some rows and tasks, per group of the tasks' layout."""
        chosen = np.arange(len(self))[rows]
        if some is None:
            return [labels.dense(chosen) for labels in self.compact]
        return [
            labels.dense(chosen, of_group)
            for labels, of_group in zip(self.compact, some.of_group, strict=True)
            if len(of_group)
        ]

    def offsets_of(
        self, rows: NDArray[np.integer] | slice, some: SomeTasks | None = None
    ) -> Tensor:
        """(B, columns) what is added to the network's output for some rows and tasks.

        It is the forecast of the tasks that have one, so that the network learns what is beyond it,
        and the outlook; else 0.
        """
        layout = self.layout if some is None else some.layout
        size = len(np.arange(len(self))[rows])
        moved = OutlookColumns.of(layout, self.outlooks)
        if not self.naive and moved is None:
            # One row of zeros stands for all, without memory.
            return torch.zeros(1, layout.columns).expand(size, -1)
        offsets = np.zeros((size, layout.columns), dtype=np.float32)
        for task in layout.tasks:
            if task.name in self.naive:
                offsets[:, layout.columns_of(task.name)] = self.naive[task.name][rows]
        if moved is not None:
            moved.add_to(offsets, self.inputs.cutoffs_us[rows])
        return torch.from_numpy(offsets)

    def moved_beyond(self, came_true: Mapping[str, Outlook]) -> Tensor:
        """(R, columns) how much more came true than the outlooks had said."""
        realised = replace(self, outlooks=came_true)
        return realised.offsets_of(slice(None)) - self.offsets_of(slice(None))

    def take(self, rows: NDArray[np.integer]) -> Examples:
        """Some of the rows."""
        return Examples(
            inputs=self.inputs.take(rows),
            reader=self.reader,
            layout=self.layout,
            compact=tuple(labels.take(rows) for labels in self.compact),
            weights=self.weights[rows],
            naive={name: log_shares[rows] for name, log_shares in self.naive.items()},
            outlooks=self.outlooks,
        )

    def of_tasks(self, some: SomeTasks) -> Examples:
        """All rows with some of the tasks."""
        if some.is_all:
            return self
        names = {task.name for task in some.layout.tasks}
        return replace(
            self,
            layout=some.layout,
            compact=tuple(
                labels.of_tasks(of_group)
                for labels, of_group in zip(self.compact, some.of_group, strict=True)
                if len(of_group)
            ),
            naive={name: shares for name, shares in self.naive.items() if name in names},
        )

    def batch(self, rows: NDArray[np.integer] | slice) -> Batch:
        """The inputs of some rows."""
        return Batch.from_arrays(self.reader.arrays(self.inputs.take(rows)))

    def batches(self, size: int) -> Iterator[slice]:
        """All rows in order, in slices."""
        for start in range(0, len(self), size):
            yield slice(start, start + size)


def make_examples(
    snapshot: Snapshot,
    reader: SnapshotReader,
    layout: Layout,
    scales: Mapping[str, Scale],
    forecasts: Mapping[str, Forecast],
    outlooks: Mapping[str, Outlook],
) -> Examples:
    """The snapshot's rows with their labels as the likelihoods take them."""
    columns = [feature.name for feature in reader.features(snapshot.entity)]
    naive = {
        task.name: forecasts[task.name].log_shares(snapshot.inputs, columns, reader.log)
        for task in layout.tasks
        if task.name in forecasts
    }
    return Examples(
        inputs=snapshot.inputs,
        reader=reader,
        layout=layout,
        compact=tuple(group_labels(snapshot, group, scales) for group in layout.groups),
        weights=torch.from_numpy(snapshot.weights / snapshot.weights.mean()),
        naive=naive,
        outlooks=outlooks,
    )


def group_labels(snapshot: Snapshot, group: Group, scales: Mapping[str, Scale]) -> CompactLabels:
    """The labels of a group's tasks, see `negative_log_likelihood`; missing tasks are NaN."""
    return CompactLabels.of([_task_labels(snapshot, group, task, scales) for task in group.tasks])


def _task_labels(
    snapshot: Snapshot, group: Group, task: Task, scales: Mapping[str, Scale]
) -> list[Piece]:
    labels = snapshot.labels
    assert isinstance(labels, LabelTable)
    if task.name not in labels:
        shape = (2, group.parameters) if group.likelihood == "periods" else ()
        return [_missing(piece, shape) for piece in labels.pieces(next(iter(labels)))]

    def as_taken(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return in_learned_units(task, group.likelihood, values, scales.get(task.name, Scale()))

    return [
        replace(piece, usual=as_taken(piece.usual), values=as_taken(piece.values))
        for piece in labels.pieces(task.name)
    ]


def _missing(piece: Piece, shape: tuple[int, ...]) -> Piece:
    usual = np.full(shape, np.nan, dtype=np.float32)
    empty = np.zeros((0, *shape), dtype=np.float32)
    return Piece(piece.length, usual, piece.rows[:0], empty)
