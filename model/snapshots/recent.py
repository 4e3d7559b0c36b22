"""What is known at the cutoff of the counterparts of an entity's last events.

The items that a user met lately: how often anybody met them in the last 30 days. The users that met
an item lately: how long ago they were last seen, and what they spent in the last 365 days. All are
whole numbers, so that their sums do not depend on the order.
"""

# R = rows, L = last events, M = distinct cutoffs, C = counterparts

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, EntityEvents
from model.snapshots.scan import RECENTS

Longs = NDArray[np.int64]

_MONTH_US = 30 * MICROSECONDS_PER_DAY
_YEAR_US = 365 * MICROSECONDS_PER_DAY
_MAX_TABLE = 1 << 25
"""Numbers that are worked out ahead of time for all counterparts: a quarter of a gibibyte."""


class RecentCounterparts:
    """Sums over the counterparts of each row's last events.

    Args:
        others: the events of the counterparts.
        wanted: some of `RECENTS`.
    """

    def __init__(self, others: EntityEvents, wanted: Sequence[str]) -> None:
        self._others = others
        self._wanted = tuple(name for name in RECENTS if name in wanted)

    def sums(self, recent_RL: NDArray[np.int32], cutoffs_us: Longs) -> dict[str, Longs]:
        """(R,) of each wanted number; a counterpart counts as often as it was met.

        Args:
            recent_RL: codes, -1 for none.
            cutoffs_us: (R,)
        """
        if not self._wanted or not len(recent_RL):
            return {}
        there = recent_RL >= 0
        moments_us, moment = _distinct(cutoffs_us)
        size = len(moments_us) * len(self._others)
        # For many rows it is worth knowing everybody at every cutoff; for a few it is not.
        if recent_RL.size > size and size <= _MAX_TABLE:
            everyone = np.tile(np.arange(len(self._others)), len(moments_us))
            at_us = np.repeat(moments_us, len(self._others))
            place = moment[:, None] * len(self._others) + np.where(there, recent_RL, 0)
            return {
                name: np.where(there, self._numbers(name, everyone, at_us)[place], 0).sum(axis=1)
                for name in self._wanted
            }
        row, codes = np.nonzero(there)[0], recent_RL[there].astype(np.int64)
        found = {}
        for name in self._wanted:
            numbers = np.zeros(recent_RL.shape, dtype=np.int64)
            numbers[there] = self._numbers(name, codes, cutoffs_us[row])
            found[name] = numbers.sum(axis=1)
        return found

    def _numbers(self, name: str, codes: Longs, cutoffs_us: Longs) -> Longs:
        others = self._others
        ends = others.position(codes, cutoffs_us)
        if name == "events_30d":
            return ends - others.position(codes, cutoffs_us - _MONTH_US)
        if name == "since_last_us":
            known = ends > others.offsets[codes]
            return np.where(known, cutoffs_us - others.time_us[np.where(known, ends - 1, 0)], 0)
        return _slices_sum(others.value_cents, others.position(codes, cutoffs_us - _YEAR_US), ends)


def _distinct(cutoffs_us: Longs) -> tuple[Longs, NDArray[np.integer[Any]]]:
    if (cutoffs_us == cutoffs_us[0]).all():
        return cutoffs_us[:1], np.zeros(len(cutoffs_us), dtype=np.int64)
    return np.unique(cutoffs_us, return_inverse=True)


def _slices_sum(numbers: Longs, starts: Longs, ends: Longs) -> Longs:
    """The sum of each slice from a start up to its end."""
    sums = np.zeros(len(starts), dtype=np.int64)
    some = np.flatnonzero(ends > starts)
    if not len(some):
        return sums
    # `reduceat` takes no edge behind the last number: that one is added by hand.
    is_last = ends[some] == len(numbers)
    edges = np.stack([starts[some], ends[some] - is_last], axis=1).ravel()
    is_empty = edges[0::2] == edges[1::2]
    sliced = np.where(is_empty, 0, np.add.reduceat(numbers, edges)[::2])
    sums[some] = sliced + np.where(is_last, numbers[-1], 0)
    return sums
