"""Which events a target looks at: those of its type that fulfil its conditions.

The chosen events are kept as ascending places, so that those of a window are a slice: slots of an
index, or rows of the log. The events of each value of a category are cut from one sorted list: a
thousand tasks that ask for one category each take one pass and no more memory together than one
that asks for all.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.events import EntityEvents, EventLog
from model.events.attributes import Attribute, Data, find_attribute
from model.events.index import row_type
from model.tasks import Condition

Places = NDArray[np.integer[Any]]
_COMPARE: dict[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Choices:
    """The chosen events of a log or of an index, each choice made once.

    Args:
        log: the events.
        events: places are slots of this index of the log; without it, rows of the log.
    """

    def __init__(self, log: EventLog, events: EntityEvents | None = None) -> None:
        self.log = log
        self._event_type = log.event_type if events is None else events.event_type
        self._rows = None if events is None else events.rows
        self._attributes: dict[str, Attribute] = {}
        self._places: dict[tuple[str | None, tuple[Condition, ...]], Places] = {}
        self._told: dict[tuple[str | None, tuple[Condition, ...], str], tuple[Places, Data]] = {}
        self._by_value: dict[
            tuple[str | None, tuple[Condition, ...], str],
            tuple[Places, NDArray[np.int64]],
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

    def places(self, event_type: str | None, where: tuple[Condition, ...]) -> Places:
        """The events of a type (None: any) that fulfil all conditions, ascending."""
        key = (event_type, where)
        if key not in self._places:
            self._places[key] = self._choose(event_type, where)
        return self._places[key]

    def told(
        self, event_type: str | None, where: tuple[Condition, ...], name: str
    ) -> tuple[Places, Data]:
        """Those of `places` whose attribute is known, and what it is."""
        key = (event_type, where, name)
        if key not in self._told:
            places, attribute = self.places(event_type, where), self.attribute(name)
            data = self._said(attribute, places)
            known = ~np.isnan(data) if attribute.values is None else data >= 0
            self._told[key] = places[known], data[known]
        return self._told[key]

    def _said(self, attribute: Attribute, places: Places) -> Data:
        """What an attribute is of these events."""
        return attribute.of_events(self.log, places if self._rows is None else self._rows[places])

    def _choose(self, event_type: str | None, where: tuple[Condition, ...]) -> Places:
        if not where:
            size, types = len(self._event_type), self.log.event_types
            if event_type is None:
                return np.arange(size, dtype=row_type(size))
            if event_type not in types:
                return np.zeros(0, dtype=row_type(size))
            chosen = np.flatnonzero(self._event_type == types.index(event_type))
            return chosen.astype(row_type(size))
        *others, last = where
        attribute = self.attribute(last.attribute)
        if last.op == "==" and attribute.values is not None:
            return self._of_value(event_type, tuple(others), last, attribute)
        places = self.places(event_type, tuple(others))
        return places[fulfils(last, self._said(attribute, places), attribute.values)]

    def _of_value(
        self,
        event_type: str | None,
        others: tuple[Condition, ...],
        last: Condition,
        attribute: Attribute,
    ) -> Places:
        """The events of one value of a category, from the list that is sorted by value."""
        assert attribute.values is not None
        key = (event_type, others, last.attribute)
        if key not in self._by_value:
            places = self.places(event_type, others)
            codes = self._said(attribute, places)
            order = np.argsort(codes, kind="stable")
            bounds = np.searchsorted(codes[order], np.arange(len(attribute.values) + 1))
            self._by_value[key] = places[order], bounds.astype(np.int64)
        if last.value not in attribute.values:
            return np.zeros(0, dtype=row_type(len(self._event_type)))
        places, bounds = self._by_value[key]
        code = attribute.values.index(str(last.value))
        return places[bounds[code] : bounds[code + 1]]


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
