"""Sorted sequences put together, a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]


@dataclass(frozen=True)
class Keyed:
    """A sequence that is sorted by keys.

    Attributes:
        length: how many entries it has.
        read: the keys of the entries from a start up to a stop, ascending.
    """

    length: int
    read: Callable[[int, int], Keys]


@dataclass(frozen=True)
class Stretch:
    """The next entries of the result.

    Attributes:
        ranges: per sequence, from where up to where its entries are taken.
        keys: (n,) of the entries, sequence after sequence.
        order: (n,) how these come to stand; entries of one key stay in the order of sequences.
    """

    ranges: tuple[tuple[int, int], ...]
    keys: Keys
    order: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.order)


def interleaved(
    sequences: Sequence[Keyed], window: int, *, whole_keys: bool = False
) -> Iterator[Stretch]:
    """All entries by (key, sequence, place in it).

    Args:
        sequences: what is put together.
        window: how many entries of each are looked at together.
        whole_keys: the entries of one key are in one stretch, even if they are more than that.
    """
    readers = [_Reader(sequence, window) for sequence in sequences]
    while _fill(readers):
        # Below the smallest key that a window ends with, every window is complete.
        limits = [int(reader.keys[-1]) for reader in readers if not reader.is_last]
        takes = [reader.below(min(limits, default=None)) for reader in readers]
        if not any(takes) and whole_keys:
            for reader in readers:
                reader.widen()
            continue
        if not any(takes):
            # Windows of nothing but that key: the first sequence that has it goes first.
            first = next(i for i, reader in enumerate(readers) if reader.starts_with(min(limits)))
            takes[first] = int(np.searchsorted(readers[first].keys, min(limits), side="right"))
        pieces = [reader.take(count) for reader, count in zip(readers, takes, strict=True)]
        keys = np.concatenate([keys for _, keys in pieces])
        # Stable sorting merges what is sorted in pieces; it does not start anew.
        yield Stretch(tuple(part for part, _ in pieces), keys, np.argsort(keys, kind="stable"))


def _fill(readers: Sequence[_Reader]) -> bool:
    for reader in readers:
        reader.fill()
    return any(len(reader.keys) for reader in readers)


class _Reader:
    def __init__(self, sequence: Keyed, window: int) -> None:
        self._sequence = sequence
        self._window = window
        self._done = 0
        self.keys: Keys = np.empty(0, dtype=np.int64)

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after what is in the window."""
        return self._done + len(self.keys) == self._sequence.length

    def fill(self) -> None:
        """Read on to a whole window."""
        start = self._done + len(self.keys)
        stop = min(self._done + self._window, self._sequence.length)
        if stop > start:
            self.keys = np.concatenate([self.keys, self._sequence.read(start, stop)])

    def widen(self) -> None:
        """Look at twice as many."""
        self._window *= 2

    def below(self, limit: int | None) -> int:
        """How many keys of the window are below a limit; None is no limit."""
        return len(self.keys) if limit is None else int(np.searchsorted(self.keys, limit))

    def starts_with(self, key: int) -> bool:
        return len(self.keys) > 0 and int(self.keys[0]) == key

    def take(self, count: int) -> tuple[tuple[int, int], Keys]:
        """Take the first entries out of the window."""
        taken, self.keys = self.keys[:count], self.keys[count:]
        start, self._done = self._done, self._done + count
        return (start, self._done), taken
