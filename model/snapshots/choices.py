"""Which events of the log a target looks at: those of its type that fulfil its conditions.

The chosen events are kept as ascending rows of the log, so that those of a window are a slice. The
events of each value of a category are cut from one sorted list: a thousand tasks that ask for one
category each take one pass and no more memory together than one that asks for all.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events import EventLog
from model.events.attributes import Attribute, Data, find_attribute
from model.events.index import row_type
from model.tasks import Condition

RowNumbers = NDArray[np.integer[Any]]
_COMPARE: dict[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Choices:
    """The chosen events of a log, each choice made once.

    Args:
        log: the events.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self._attributes: dict[str, Attribute] = {}
        self._rows: dict[tuple[str | None, tuple[Condition, ...]], RowNumbers] = {}
        self._by_value: dict[
            tuple[str | None, tuple[Condition, ...], str],
            tuple[RowNumbers, NDArray[np.int64]],
        ] = {}

    def attribute(self, name: str) -> Attribute:
        """An attribute that the log has.

        Raises:
            KeyError: it has none of this name; `check_tasks` tells the user so.
        """
        if name not in self._attributes:
            found = find_attribute(self.log, name)
            if found is None:
                raise KeyError(name)
            self._attributes[name] = found
        return self._attributes[name]

    def rows(self, event_type: str | None, where: tuple[Condition, ...]) -> RowNumbers:
        """The rows of the events of a type (None: any) that fulfil all conditions, ascending."""
        key = (event_type, where)
        if key not in self._rows:
            self._rows[key] = self._choose(event_type, where)
        return self._rows[key]

    def _choose(self, event_type: str | None, where: tuple[Condition, ...]) -> RowNumbers:
        if not where:
            if event_type is None:
                return np.arange(len(self.log), dtype=row_type(len(self.log)))
            chosen = np.flatnonzero(self.log.is_type(event_type))
            return chosen.astype(row_type(len(self.log)))
        *others, last = where
        attribute = self.attribute(last.attribute)
        if last.op == "==" and attribute.values is not None:
            return self._of_value(event_type, tuple(others), last, attribute)
        rows = self.rows(event_type, tuple(others))
        return rows[fulfils(last, attribute.of_events(self.log, rows), attribute.values)]

    def _of_value(
        self,
        event_type: str | None,
        others: tuple[Condition, ...],
        last: Condition,
        attribute: Attribute,
    ) -> RowNumbers:
        """The events of one value of a category, from the list that is sorted by value."""
        assert attribute.values is not None
        key = (event_type, others, last.attribute)
        if key not in self._by_value:
            rows = self.rows(event_type, others)
            codes = attribute.of_events(self.log, rows)
            order = np.argsort(codes, kind="stable")
            bounds = np.searchsorted(codes[order], np.arange(len(attribute.values) + 1))
            self._by_value[key] = rows[order], bounds.astype(np.int64)
        if last.value not in attribute.values:
            return np.zeros(0, dtype=row_type(len(self.log)))
        rows, bounds = self._by_value[key]
        code = attribute.values.index(str(last.value))
        return rows[bounds[code] : bounds[code + 1]]


def fulfils(
    condition: Condition,
    data: Data,
    values: tuple[str, ...] | None,
) -> NDArray[np.bool_]:
    """Which entries stand in the condition's relation to its value; missing ones never do.

    Args:
        condition: its attribute is what `data` holds.
        data: numbers, or codes into `values`.
        values: the texts of the codes; None for numbers.
    """
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.op in _COMPARE:
        if values is not None:
            return np.zeros(len(data), dtype=bool)
        # A comparison with NaN is never true.
        return _COMPARE[condition.op](np.asarray(data, dtype=np.float64), float(wanted[0]))
    if values is None:
        known = [value for value in wanted if isinstance(value, float)]
        missing = np.isnan(data)
    else:
        known = [code for code, value in enumerate(values) if value in wanted]
        missing = data < 0
    found = np.isin(data, np.asarray(known, dtype=data.dtype))
    return ~found & ~missing if condition.op == "!=" else found & ~missing
