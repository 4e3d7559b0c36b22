"""Codes of a log's users or items, with those that only its tail has behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.events.entities import Entities

Longs = NDArray[np.int64]


class TailCodes:
    """Grows with the tail.

    Args:
        base: those of the log; their codes stay.
    """

    def __init__(self, base: Entities) -> None:
        self._base = base
        self._new: dict[str, int] = {}
        self._names: list[str] = []

    def added(self, entities: Entities) -> Longs:
        """The codes of these, which are given to those that have none."""
        ids = [str(name) for name in entities.ids]
        codes = self.find(ids)
        for place in np.flatnonzero(codes < 0).tolist():
            code = len(self._base) + len(self._names)
            self._names.append(ids[place])
            self._new[ids[place]] = code
            codes[place] = code
        return codes

    def find(self, ids: Sequence[str]) -> Longs:
        """(R,) the codes of these ids, -1 for one that is unknown."""
        codes = self._base.find(ids)
        if self._new:
            for place in np.flatnonzero(codes < 0).tolist():
                codes[place] = self._new.get(ids[place], -1)
        return codes

    def id_of(self, code: int) -> str:
        """The id that this code stands for."""
        beyond = code - len(self._base)
        return self._names[beyond] if beyond >= 0 else self._base.id_of(code)

    def ranks(self, codes: Longs) -> Longs:
        """Numbers in the order of ids, -1 for nobody; codes of the tail are in no order."""
        known = codes >= 0
        ids = [self.id_of(code) for code in codes[known].tolist()]
        ranks = np.full(len(codes), -1, dtype=np.int64)
        ranks[known] = np.unique(np.array(ids, dtype=object), return_inverse=True)[1]
        return ranks
