"""A snapshot as tensors that batches are selected from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.distributions import Group, Layout, Scale
from model.network import Batch
from model.snapshots import Inputs, PeriodLabels, SeasonalNaive, Snapshot, SnapshotReader
from model.tasks import Task

_LOG_NO_EXPOSURE = -30.0


@dataclass(frozen=True)
class Examples:
    """All rows of one entity kind.

    Attributes:
        inputs: R rows; the sequences are gathered per batch.
        reader: gathers them.
        labels: per group of the layout, see `negative_log_likelihood`.
        offsets: (R, columns) added to the network's output: the seasonal naive forecast of
            peak-period tasks, so that the network learns what is beyond it; else 0.
        weights: (R,) mean 1.
        naive: (R, periods) log shares per peak-period task.
    """

    inputs: Inputs
    reader: SnapshotReader
    labels: list[Tensor]
    offsets: Tensor
    weights: Tensor
    naive: dict[str, NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: NDArray[np.integer]) -> Examples:
        """Some of the rows."""
        return Examples(
            inputs=self.inputs.take(rows),
            reader=self.reader,
            labels=[labels[rows] for labels in self.labels],
            offsets=self.offsets[rows],
            weights=self.weights[rows],
            naive={name: log_shares[rows] for name, log_shares in self.naive.items()},
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
    seasonal: Mapping[str, SeasonalNaive],
) -> Examples:
    """The snapshot's rows with their labels as the likelihoods take them."""
    columns = [feature.name for feature in reader.features(snapshot.entity)]
    naive = {
        task.name: seasonal[task.name].log_shares(snapshot.inputs, columns, reader.log)
        for task in layout.tasks
        if task.name in seasonal
    }
    return Examples(
        inputs=snapshot.inputs,
        reader=reader,
        labels=[group_labels(snapshot, group, scales) for group in layout.groups],
        offsets=_offsets(naive, layout, len(snapshot)),
        weights=torch.from_numpy(snapshot.weights / snapshot.weights.mean()),
        naive=naive,
    )


def _offsets(naive: Mapping[str, NDArray[np.float32]], layout: Layout, rows: int) -> Tensor:
    """(R, columns); without a peak period one row of zeros that stands for all, without memory."""
    if not naive:
        return torch.zeros(1, layout.columns).expand(rows, -1)
    offsets = torch.zeros(rows, layout.columns)
    for name, log_shares in naive.items():
        offsets[:, layout.columns_of(name)] = torch.from_numpy(log_shares)
    return offsets


def group_labels(snapshot: Snapshot, group: Group, scales: Mapping[str, Scale]) -> Tensor:
    """The labels of a group's tasks, see `negative_log_likelihood`; missing tasks are NaN."""
    columns = [_task_label(snapshot, group, task, scales) for task in group.tasks]
    return torch.from_numpy(np.stack(columns, axis=1))


def _task_label(
    snapshot: Snapshot, group: Group, task: Task, scales: Mapping[str, Scale]
) -> NDArray[np.float32]:
    label = snapshot.labels.get(task.name)
    if isinstance(label, PeriodLabels):
        return _period_label(label)
    if label is None:
        is_cycle = group.likelihood == "periods"
        shape = (len(snapshot), 2, group.parameters) if is_cycle else (len(snapshot),)
        return np.full(shape, np.nan, dtype=np.float32)
    match group.likelihood:
        case "hurdle_log_normal":
            return standardised_log(label, scales[task.name])
        case "normal":
            scale = scales[task.name]
            return ((label - scale.location) / scale.scale).astype(np.float32)
        case "hazard":
            return label / np.float32(task.horizon_days)
        case _:
            return label


def standardised_log(amounts: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """(log amount - location) / scale, -inf for nothing, NaN stays."""
    with np.errstate(divide="ignore"):
        standardised = (np.log(amounts) - scale.location) / scale.scale
    return standardised.astype(np.float32)


def _period_label(label: PeriodLabels) -> NDArray[np.float32]:
    shares = label.amounts / label.amounts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_exposure = np.maximum(np.log(label.exposure), _LOG_NO_EXPOSURE)
    return np.stack([shares, log_exposure], axis=1).astype(np.float32)
