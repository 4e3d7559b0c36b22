"""The numbers that no scan gives: attributes of the entity, the calendar of the cutoff."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.events import MICROSECONDS_PER_DAY, Entities, to_datetime
from model.snapshots.formulas import Attribute, Declaration, OfCutoff

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_YEAR_DAYS = 365


class GivenColumns:
    """Looked up, not computed: what was worked out once is kept.

    Args:
        declarations: of them those that are given are read, in order.
        table: the entities' attributes.
        first_us: the log's first event.
    """

    def __init__(
        self, declarations: Sequence[Declaration], table: Entities | None, first_us: int
    ) -> None:
        formulas = [declaration.formula for declaration in declarations]
        self._names = tuple(f.name for f in formulas if isinstance(f, Attribute))
        self._of_cutoff = tuple(f.what for f in formulas if isinstance(f, OfCutoff))
        self._numbers = _numbers(table, self._names)
        self._first_us = first_us
        self._calendar = lru_cache(maxsize=1024)(self._calendar_at)

    def read(self, entities: Longs, cutoffs_us: Longs) -> Floats:
        """(R, given) the attributes, then what the calendar says."""
        calendar = self._read_calendar(cutoffs_us)
        if not self._names:
            return calendar
        return np.concatenate([self._numbers[entities], calendar], axis=1)

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return len(self._names) + len(self._of_cutoff)

    def write_one(self, entity: int, cutoff_us: int, given: Floats) -> None:
        """The same for one row, into (1, given)."""
        attributes = len(self._names)
        if attributes:
            given[0, :attributes] = self._numbers[entity]
        if self._of_cutoff:
            given[0, attributes:] = self._calendar(cutoff_us)

    def _read_calendar(self, cutoffs_us: Longs) -> Floats:
        if not self._of_cutoff:
            return np.empty((len(cutoffs_us), 0))
        if len(cutoffs_us) == 1:
            return np.array([self._calendar(int(cutoffs_us[0]))])
        moments_us, moment = np.unique(cutoffs_us, return_inverse=True)
        known = [self._calendar(cutoff_us) for cutoff_us in moments_us.tolist()]
        shape = (len(known), len(self._of_cutoff))
        return np.array(known, dtype=np.float64).reshape(shape)[moment]

    def _calendar_at(self, cutoff_us: int) -> list[float]:
        covered = (cutoff_us - self._first_us) / MICROSECONDS_PER_DAY
        angle = 2 * math.pi * to_datetime(cutoff_us).timetuple().tm_yday / 365.25
        numbers = {
            "log_coverage": math.log1p(min(max(covered, 0), _YEAR_DAYS)),
            "day_of_year_sine": math.sin(angle),
            "day_of_year_cosine": math.cos(angle),
        }
        return [numbers[what] for what in self._of_cutoff]


def _numbers(table: Entities | None, names: Sequence[str]) -> Floats:
    """(entities + 1, names) the attributes; the last row is for the code -1 of nobody."""
    entities = 0 if table is None else len(table)
    numbers = np.full((entities + 1, len(names)), np.nan)
    for column, name in enumerate(names):
        if table is not None and table.has(name):
            numbers[:-1, column] = table.numbers(name)
    return np.where(np.isfinite(numbers), numbers, np.nan)
