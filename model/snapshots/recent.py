"""What is known at the cutoff of the counterparts of an entity's last events.

The items that a user met lately: how often anybody met them in the last 30 days. The users that met
an item lately: how long ago they were last seen, and what they spent in the last 365 days. All are
whole numbers, so that their sums do not depend on the order.
"""

# R = rows, L = last events, M = distinct cutoffs, C = counterparts

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled_as
from model.events import MICROSECONDS_PER_DAY, EntityEvents
from model.snapshots.scan import NEVER_US, RECENTS

Longs = NDArray[np.int64]

_MONTH_US = 30 * MICROSECONDS_PER_DAY
_YEAR_US = 365 * MICROSECONDS_PER_DAY
_EVENTS, _SINCE = RECENTS.index("events_30d"), RECENTS.index("since_last_us")
_FEW = 64
"""The counterparts of so many rows are looked at one by one."""
_MAX_TABLE = 1 << 25
"""Numbers that are worked out ahead of time for all counterparts: a quarter of a gibibyte."""


class Counterparts(Protocol):
    """Says what is known at a cutoff of those whom an entity met."""

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """See `RecentCounterparts.sums`."""


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
        self._kinds = np.array([RECENTS.index(name) for name in self.wanted], dtype=np.int64)

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """(R,) of each wanted number; a counterpart counts as often as it was met.

        Args:
            recent_RL: codes, -1 behind the last one.
            cutoffs_us: (R,)
        """
        if not self.wanted or not len(recent_RL):
            return {}
        keeps = COMPILED and _is_one_moment(cutoffs_us)
        if keeps and len(recent_RL) <= _FEW:
            return self._kept(recent_RL, int(cutoffs_us[0]))
        moments_us, moment = _distinct(cutoffs_us)
        size = len(moments_us) * len(self._others)
        # For many rows it is worth knowing everybody at every cutoff; for a few it is not.
        if size <= _MAX_TABLE and (self._is_known(moments_us) or recent_RL.size > size):
            tables = self._everybody(moments_us)
            return {name: looked_up(tables[name], moment, recent_RL) for name in self.wanted}
        if keeps:
            return self._kept(recent_RL, int(cutoffs_us[0]))
        there = recent_RL >= 0
        row, codes = np.nonzero(there)[0], recent_RL[there]
        found = {}
        for name, own in self.all_numbers(codes, cutoffs_us[row]).items():
            numbers = np.zeros(recent_RL.shape, dtype=np.int64)
            numbers[there] = own
            found[name] = numbers.sum(axis=1)
        return found

    def all_numbers(self, codes: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """(R,) of each wanted number; what was found at the latest cutoff is not looked for again.

        Args:
            codes: (R,) of counterparts.
            cutoffs_us: (R,)
        """
        if COMPILED and len(codes) and _is_one_moment(cutoffs_us):
            return self._kept(codes[:, None], int(cutoffs_us[0]))
        longs = codes.astype(np.int64)
        return {name: self.numbers(name, longs, cutoffs_us) for name in self.wanted}

    def _kept(self, recent_RL: NDArray[np.int32], cutoff_us: int) -> dict[str, Longs]:
        """Sums at one cutoff, for which what is found of a counterpart is kept."""
        latest = self._latest
        if latest is None or latest.cutoff_us != cutoff_us:
            self._latest = latest = _AtCutoff.of(cutoff_us, self.wanted, len(self._others))
        others = self._others
        sums_WR = np.zeros((len(self.wanted), len(recent_RL)), dtype=np.int64)
        _sum_kept(
            recent_RL,
            cutoff_us,
            np.asarray(others.offsets),
            np.asarray(others.time_us),
            np.asarray(others.value_cents),
            self._kinds,
            latest.above_WC,
            sums_WR,
        )
        return dict(zip(self.wanted, sums_WR, strict=True))

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
    """What was found of counterparts at one cutoff; several threads may fill in the same.

    Attributes:
        above_WC: each wanted number plus one; zero for one that is not known yet.
    """

    cutoff_us: int
    above_WC: Longs

    @classmethod
    def of(cls, cutoff_us: int, wanted: Sequence[str], counterparts: int) -> _AtCutoff:
        """Nothing yet; memory that nobody writes to costs nothing."""
        return cls(cutoff_us, np.zeros((len(wanted), counterparts), dtype=np.int64))


@compiled_as(
    "void(Array(int32, 2, 'C', readonly=True), int64, Array(int64, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True), Array(int64, 1, 'C', readonly=True), "
    "Array(int64, 1, 'C', readonly=True), Array(int64, 2, 'C'), Array(int64, 2, 'C'))"
)
def _sum_kept(  # noqa: C901 (machine code calls none)
    recent_RL: NDArray[np.int32],
    cutoff_us: int,
    offsets: Longs,
    time_us: Longs,
    value_cents: Longs,
    kinds_W: Longs,
    above_WC: Longs,
    sums_WR: Longs,
) -> None:
    """Add up what is known of counterparts, and look for what is not.

    Args:
        recent_RL: codes, -1 behind the last one.
        cutoff_us: of all rows.
        offsets: with those that follow the events of the counterparts.
        time_us: by slot.
        value_cents: by slot.
        kinds_W: which of `RECENTS` are wanted.
        above_WC: see `_AtCutoff`; a number of -1 is looked for again.
        sums_WR: zeros.
    """
    for w in range(len(kinds_W)):
        kind = kinds_W[w]
        back_us = _MONTH_US if kind == _EVENTS else _YEAR_US
        for row in range(len(recent_RL)):
            for place in range(recent_RL.shape[1]):
                code = recent_RL[row, place]
                if code < 0:
                    break
                above = above_WC[w, code]
                if above == 0:
                    first, behind = offsets[code], offsets[code + 1]
                    low, high = first, behind
                    while low < high:
                        middle = (low + high) >> 1
                        if time_us[middle] <= cutoff_us:
                            low = middle + 1
                        else:
                            high = middle
                    end = low
                    number = 0
                    if kind == _SINCE:
                        number = cutoff_us - int(time_us[end - 1]) if end > first else NEVER_US
                    else:
                        low, high = first, end
                        while low < high:
                            middle = (low + high) >> 1
                            if time_us[middle] <= cutoff_us - back_us:
                                low = middle + 1
                            else:
                                high = middle
                        if kind == _EVENTS:
                            number = int(end - low)
                        else:
                            for slot in range(low, end):
                                number += int(value_cents[slot])
                    above = number + 1
                    above_WC[w, code] = above
                sums_WR[w, row] += above - 1


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


def _is_one_moment(cutoffs_us: Longs) -> bool:
    return len(cutoffs_us) == 1 or bool((cutoffs_us == cutoffs_us[0]).all())


def _distinct(cutoffs_us: Longs) -> tuple[Longs, Longs]:
    """The different cutoffs, and which of them is each row's."""
    if _is_one_moment(cutoffs_us):
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
