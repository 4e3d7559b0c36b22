"""What is known at the cutoff of the counterparts of an entity's last events.

The items that a user met lately: how often anybody met them in the last 30 days. The users that met
an item lately: how long ago they were last seen, and what they spent in the last 365 days. All are
whole numbers, so that their sums do not depend on the order.
"""

# R = rows, L = last events, M = distinct cutoffs, C = counterparts

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as
from model.events import MICROSECONDS_PER_DAY, EntityEvents
from model.snapshots.scan import NEVER_US, RECENTS

Longs = NDArray[np.int64]

_MONTH_US = 30 * MICROSECONDS_PER_DAY
_YEAR_US = 365 * MICROSECONDS_PER_DAY
_MAX_TABLE = 1 << 25
"""Numbers that are worked out ahead of time for all counterparts: a quarter of a gibibyte."""


class RecentCounterparts:
    """Sums over the counterparts of each row's last events.

    Attributes:
        wanted: in the order of `RECENTS`.

    Args:
        others: the events of the counterparts.
        wanted: some of `RECENTS`.
    """

    def __init__(self, others: EntityEvents, wanted: Sequence[str]) -> None:
        self._others = others
        self.wanted = tuple(name for name in RECENTS if name in wanted)
        self._known: tuple[Longs, dict[str, Longs]] | None = None
        self._latest: _AtCutoff | None = None

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """(R,) of each wanted number; a counterpart counts as often as it was met.

        Args:
            recent_RL: codes, -1 for none.
            cutoffs_us: (R,)
        """
        if not self.wanted or not len(recent_RL):
            return {}
        moments_us, moment = _distinct(cutoffs_us)
        size = len(moments_us) * len(self._others)
        # For many rows it is worth knowing everybody at every cutoff; for a few it is not.
        if size <= _MAX_TABLE and (self._is_known(moments_us) or recent_RL.size > size):
            tables = self._everybody(moments_us)
            return {name: looked_up(tables[name], moment, recent_RL) for name in self.wanted}
        there = recent_RL >= 0
        row, codes = np.nonzero(there)[0], recent_RL[there].astype(np.int64)
        found = {}
        for name, own in self.all_numbers(codes, cutoffs_us[row]).items():
            numbers = np.zeros(recent_RL.shape, dtype=np.int64)
            numbers[there] = own
            found[name] = numbers.sum(axis=1)
        return found

    def all_numbers(self, codes: Longs, cutoffs_us: Longs) -> dict[str, Longs]:
        """(R,) of each wanted number; what was found at the latest cutoff is not looked for again.

        Args:
            codes: (R,) of counterparts.
            cutoffs_us: (R,)
        """
        if not len(codes) or (cutoffs_us != cutoffs_us[0]).any():
            return {name: self.numbers(name, codes, cutoffs_us) for name in self.wanted}
        cutoff_us, latest = int(cutoffs_us[0]), self._latest
        if latest is None or latest.cutoff_us != cutoff_us:
            self._latest = latest = _AtCutoff.of(cutoff_us, self.wanted, len(self._others))
        new = np.unique(codes[~latest.is_known[codes]])
        if len(new):
            for name, numbers in latest.numbers.items():
                numbers[new] = self.numbers(name, new, np.full(len(new), cutoff_us))
            latest.is_known[new] = True
        return {name: numbers[codes] for name, numbers in latest.numbers.items()}

    def _is_known(self, moments_us: Longs) -> bool:
        known = self._known
        return known is not None and np.array_equal(known[0], moments_us)

    def _everybody(self, moments_us: Longs) -> dict[str, Longs]:
        """Each wanted number of every counterpart at every cutoff; kept until others are asked."""
        known = self._known
        if known is not None and np.array_equal(known[0], moments_us):
            return known[1]
        everyone = np.tile(np.arange(len(self._others)), len(moments_us))
        at_us = np.repeat(moments_us, len(self._others))
        shape = (len(moments_us), len(self._others))
        tables = {n: self.numbers(n, everyone, at_us).reshape(shape) for n in self.wanted}
        self._known = moments_us, tables
        return tables

    def numbers(self, name: str, codes: Longs, cutoffs_us: Longs) -> Longs:
        """(R,) one of `RECENTS` of each of these counterparts."""
        others = self._others
        ends = others.position(codes, cutoffs_us)
        if name == "events_30d":
            return ends - others.position(codes, cutoffs_us - _MONTH_US)
        if name == "since_last_us":
            known = ends > others.offsets[codes]
            since_us = cutoffs_us - others.time_us[np.where(known, ends - 1, 0)]
            return np.where(known, since_us, NEVER_US)
        return _slices_sum(others.value_cents, others.position(codes, cutoffs_us - _YEAR_US), ends)


@dataclass(frozen=True)
class _AtCutoff:
    """What was found of counterparts at one cutoff; several threads may fill in the same."""

    cutoff_us: int
    is_known: NDArray[np.bool_]
    numbers: dict[str, Longs]

    @classmethod
    def of(cls, cutoff_us: int, wanted: Sequence[str], counterparts: int) -> _AtCutoff:
        """Nothing yet; memory that nobody writes to costs nothing."""
        numbers = {name: np.empty(counterparts, dtype=np.int64) for name in wanted}
        return cls(cutoff_us, np.zeros(counterparts, dtype=bool), numbers)


def looked_up(table_MC: Longs, moment: Longs, recent_RL: NDArray[np.int32]) -> Longs:
    """(R,) the sums of what the table says of each row's counterparts.

    Args:
        table_MC: per cutoff and counterpart.
        moment: (R,) which of the cutoffs.
        recent_RL: codes, -1 behind the last one.
    """
    if COMPILED:
        return _look_up(table_MC, moment, recent_RL)
    there = recent_RL >= 0
    numbers = table_MC[moment[:, None], np.where(there, recent_RL, 0)]
    sums: Longs = np.where(there, numbers, 0).sum(axis=1)
    return sums


@compiled_as(
    "int64[::1](Array(int64, 2, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(int32, 2, 'C', readonly=True))"
)
def _look_up(table_MC: Longs, moment: Longs, recent_RL: NDArray[np.int32]) -> Longs:
    sums = np.zeros(len(recent_RL), dtype=np.int64)
    for row in range(len(recent_RL)):
        for place in range(recent_RL.shape[1]):
            code = recent_RL[row, place]
            if code < 0:
                break
            sums[row] += table_MC[moment[row], code]
    return sums


def _distinct(cutoffs_us: Longs) -> tuple[Longs, Longs]:
    """The different cutoffs, and which of them is each row's."""
    if (cutoffs_us == cutoffs_us[0]).all():
        return cutoffs_us[:1], np.zeros(len(cutoffs_us), dtype=np.int64)
    return np.unique(cutoffs_us, return_inverse=True)


def _slices_sum(numbers: Longs, starts: Longs, ends: Longs) -> Longs:
    """The sum of each slice from a start up to its end; the slices are in any order."""
    if COMPILED:
        return _sum_slices(np.asarray(numbers), starts, ends)
    lengths = np.maximum(ends - starts, 0)
    row = np.repeat(np.arange(len(starts)), lengths)
    places = np.arange(len(row)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    sums = np.zeros(len(starts), dtype=np.int64)
    np.add.at(sums, row, numbers[places])
    return sums


@compiled_as(
    "int64[::1](Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True))"
)
def _sum_slices(numbers: Longs, starts: Longs, ends: Longs) -> Longs:
    sums = np.zeros(len(starts), dtype=np.int64)
    for row in range(len(starts)):
        for place in range(starts[row], ends[row]):
            sums[row] += numbers[place]
    return sums
