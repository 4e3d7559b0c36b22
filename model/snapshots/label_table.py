"""The labels of many tasks without their many zeros.

Of a thousand tasks that ask for a category each, nearly every label of a row is zero, missing, or
infinite. So a column keeps what most rows of a cutoff say, and the rows that say something else.

R = rows, N = rows that differ
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.snapshots.labels import Label, PeriodLabels

Floats = NDArray[np.float32]
_USUAL = (0.0, np.inf)


@dataclass(frozen=True)
class Piece:
    """One task's labels of consecutive rows.

    Attributes:
        length: R.
        usual: () what the rows say that are not among `rows`; of periods (2, K) sales, all missing,
            and exposure.
        rows: (N,) those that say something else, ascending.
        values: (N,) what they say; of periods (N, 2, K).
    """

    length: int
    usual: Floats
    rows: NDArray[np.int32]
    values: Floats

    @classmethod
    def of(cls, label: Label) -> Piece:
        """Keep what differs from the most frequent of nothing, never and missing."""
        if isinstance(label, PeriodLabels):
            return cls._of_periods(label)
        counts = {usual: int((label == usual).sum()) for usual in _USUAL}
        counts[np.nan] = int(np.isnan(label).sum())
        usual = max(counts, key=lambda value: counts[value])
        differs = ~np.isnan(label) if np.isnan(usual) else label != usual
        rows = np.flatnonzero(differs).astype(np.int32)
        return cls(len(label), np.array(usual, dtype=np.float32), rows, label[rows])

    @classmethod
    def _of_periods(cls, label: PeriodLabels) -> Piece:
        rows = np.flatnonzero(~np.isnan(label.amounts).any(axis=1)).astype(np.int32)
        values = np.stack([label.amounts[rows], label.exposure[rows]], axis=1)
        usual = np.full((2, label.amounts.shape[1]), np.nan, dtype=np.float32)
        usual[1] = label.exposure[0]  # rows of one cutoff see the same part of the cycle
        return cls(len(label.amounts), usual, rows, values)

    def dense(self) -> Floats:
        """(R,) or (R, 2, K)."""
        whole = np.repeat(self.usual[None], self.length, axis=0)
        whole[self.rows] = self.values
        return whole


class LabelTable(Mapping[str, Label]):
    """The labels of each task, see `Labels.of`, made anew whenever they are asked for.

    Args:
        pieces: per task the labels of each cutoff's rows.
    """

    def __init__(self, pieces: Mapping[str, Sequence[Piece]]) -> None:
        self._pieces = {name: tuple(of_task) for name, of_task in pieces.items()}

    @classmethod
    def of(
        cls, labels: Iterable[tuple[str, Label]], lengths: Sequence[int] | None = None
    ) -> LabelTable:
        """The labels of some rows, of one task after the other.

        Args:
            labels: name and labels of each task.
            lengths: how many rows each cutoff has, in order; None where all have the same.
        """
        return cls({name: tuple(_of_cutoffs(label, lengths)) for name, label in labels})

    def pieces(self, name: str) -> tuple[Piece, ...]:
        """The labels of a task as they are kept."""
        return self._pieces[name]

    def __getitem__(self, name: str) -> Label:
        whole = np.concatenate([piece.dense() for piece in self._pieces[name]])
        return whole if whole.ndim == 1 else PeriodLabels(whole[:, 0], whole[:, 1])

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)


def _of_cutoffs(label: Label, lengths: Sequence[int] | None) -> Iterator[Piece]:
    if lengths is None:
        yield Piece.of(label)
        return
    start = 0
    for length in lengths:
        rows = slice(start, start + length)
        if isinstance(label, PeriodLabels):
            yield Piece.of(PeriodLabels(label.amounts[rows], label.exposure[rows]))
        else:
            yield Piece.of(label[rows])
        start += length
