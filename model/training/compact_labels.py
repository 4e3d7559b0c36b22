"""A group's labels by row, without what most of them say.

R = rows, T = tasks of the group, N = labels that say something else, B = rows asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array
from torch import Tensor

from model.network import Positions
from model.snapshots import Piece

Rows = NDArray[np.integer]


@dataclass(frozen=True)
class CompactLabels:
    """Labels as their likelihood takes them, see `negative_log_likelihood`.

    Attributes:
        usual: (pieces, T) what most rows of a piece say; of periods (pieces, T, 2, K).
        piece: (R,) which piece a row is of.
        starts: (R + 1,) where each row's other labels begin.
        task: (N,) whose they are.
        values: (N,) what they say; of periods (N, 2, K).
    """

    usual: NDArray[np.float32]
    piece: NDArray[np.int32]
    starts: NDArray[np.int64]
    task: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, columns: Sequence[Sequence[Piece]]) -> CompactLabels:
        """From each task's pieces, which are cut alike."""
        lengths = [piece.length for piece in columns[0]]
        first = np.concatenate([[0], np.cumsum(lengths)])
        rows = [
            piece.rows + start
            for column in columns
            for piece, start in zip(column, first[:-1], strict=True)
        ]
        values = np.concatenate([piece.values for column in columns for piece in column])
        counts = [sum(len(piece.rows) for piece in column) for column in columns]
        by_task = csc_array(
            (
                np.arange(len(values)),
                np.concatenate(rows),
                np.concatenate([[0], np.cumsum(counts)]),
            ),
            shape=(int(first[-1]), len(columns)),
        )
        by_row = by_task.tocsr()
        return cls(
            usual=np.stack([[piece.usual for piece in column] for column in columns], axis=1),
            piece=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
            starts=by_row.indptr.astype(np.int64),
            task=by_row.indices.astype(np.int32),
            values=values[by_row.data],
        )

    def take(self, rows: Rows) -> CompactLabels:
        """Some of the rows."""
        entries, starts = self._entries(rows)
        return CompactLabels(
            self.usual, self.piece[rows], starts, self.task[entries], self.values[entries]
        )

    def of_tasks(self, chosen: Positions) -> CompactLabels:
        """Some of the tasks."""
        place = self._places(chosen)[self.task]
        kept = place >= 0
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return CompactLabels(
            self.usual[:, chosen.order], self.piece, starts, place[kept], self.values[kept]
        )

    def dense(self, rows: Rows, chosen: Positions | None = None) -> Tensor:
        """(B, tasks) or (B, tasks, 2, K) the labels of some rows, of all tasks or those chosen."""
        usual = self.usual if chosen is None else self.usual[:, chosen.order]
        entries, starts = self._entries(rows)
        row = np.repeat(np.arange(len(rows)), np.diff(starts))
        task = self.task[entries]
        if chosen is not None:
            task = self._places(chosen)[task]
            kept = task >= 0
            row, task, entries = row[kept], task[kept], entries[kept]
        whole = usual[self.piece[rows]]
        whole[row, task] = self.values[entries]
        return torch.from_numpy(whole)

    def _entries(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the other labels are some rows', and where those of each begin among them."""
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        starts = np.concatenate([[0], np.cumsum(counts)])
        return np.arange(starts[-1]) + np.repeat(first - starts[:-1], counts), starts

    def _places(self, chosen: Positions) -> NDArray[np.int32]:
        """(T,) where each task stands among those chosen, -1 for the others."""
        place = np.full(self.usual.shape[1], -1, dtype=np.int32)
        place[chosen.order] = np.arange(len(chosen), dtype=np.int32)
        return place
