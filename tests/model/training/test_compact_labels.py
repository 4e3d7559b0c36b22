"""Rows and tasks are picked from compact labels as from a matrix."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from model.network import Positions
from model.snapshots import Piece
from model.training.compact_labels import CompactLabels

RNG = np.random.default_rng(0)
LENGTHS, TASKS = (40, 0, 60), 7


def whole(*trailing: int) -> np.ndarray:
    labels = RNG.choice([0.0, 0.0, 0.0, 1.0, 3.0, np.nan], size=(sum(LENGTHS), TASKS))
    labels[:40, 2] = np.nan
    labels[40:, 4] = np.inf
    spread = labels.reshape(*labels.shape, *[1] * len(trailing))
    return np.broadcast_to(spread, (*labels.shape, *trailing)).astype(np.float32)


def compact(labels: np.ndarray) -> CompactLabels:
    bounds = np.cumsum([0, *LENGTHS])
    return CompactLabels.of(
        [
            [piece_of(labels[start:end, task]) for start, end in pairwise(bounds)]
            for task in range(TASKS)
        ]
    )


def piece_of(labels: np.ndarray) -> Piece:
    if labels.ndim == 1:
        return Piece.of(labels)
    rows = np.arange(0, len(labels), dtype=np.int32)
    return Piece(len(labels), np.zeros(labels.shape[1:], dtype=np.float32), rows, labels)


@pytest.mark.parametrize("trailing", [(), (2, 3)])
def test_rows_and_tasks_are_picked_as_from_a_matrix(trailing: tuple[int, ...]) -> None:
    labels = whole(*trailing)
    found = compact(labels)
    rows = RNG.permutation(len(labels))[:30]
    chosen = Positions([1, 2, 4, 6])

    def same(picked: torch.Tensor, expected: np.ndarray) -> bool:
        return np.array_equal(picked.numpy(), expected, equal_nan=True)

    every = np.arange(len(labels))
    assert same(found.dense(every), labels)
    assert same(found.dense(rows), labels[rows])
    assert same(found.dense(rows, chosen), labels[rows][:, chosen.order])
    assert same(found.take(rows).dense(np.arange(30)), labels[rows])
    assert same(found.of_tasks(chosen).dense(every), labels[:, chosen.order])
    both = found.take(rows).of_tasks(chosen)
    assert same(both.dense(np.arange(30)), labels[rows][:, chosen.order])
