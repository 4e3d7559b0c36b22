"""Attributes of events: those of their item, of their user, and the events' own columns.

An attribute is named by its owner and its column: `item.category`, `user.age`, `event.rating`. An
event's own quantity, price and value (in the log's currency) are columns as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.events.entities import Entities
from model.events.frames import coded_column
from model.events.log import EventLog

Owner = Literal["user", "item", "event"]
Data = NDArray[np.float64] | NDArray[np.int32]
AMOUNTS = ("quantity", "price", "value")
"""What every event has: numbers, 1, missing and 0 where the log does not give them."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of every user, of every item, or of every event.

    Attributes:
        owner: whose it is.
        data: one entry per owner: float64 with NaN for missing, or int32 codes into `values` with
            -1 for missing.
        values: the texts, sorted; None for numbers.
    """

    owner: Owner
    data: Data
    values: tuple[str, ...] | None

    def of_events(self, log: EventLog, rows: NDArray[np.integer]) -> Data:
        """The attribute of these rows of the log, missing where an event has no such owner."""
        owners = rows if self.owner == "event" else _owners(log, self.owner)[rows]
        # One more entry, which the code -1 of an absent owner points to.
        known: Data = np.append(self.data, np.array(self.missing, self.data.dtype))[owners]
        return known

    @property
    def missing(self) -> float:
        """What stands for a missing value."""
        return np.nan if self.values is None else -1


def _owners(log: EventLog, owner: Owner) -> NDArray[np.int32]:
    return log.user if owner == "user" else log.item


def attribute_names(log: EventLog) -> Iterator[str]:
    """All attributes that the log has, the tables' first, the amounts of every event last."""
    for owner, table in (("item", log.items), ("user", log.users)):
        for name in table.attributes.columns:
            yield f"{owner}.{name}"
    for name in (*log.columns, *(name for name in AMOUNTS if name not in log.columns)):
        yield f"event.{name}"


def find_attribute(log: EventLog, name: str) -> Attribute | None:
    """The attribute of this name; None if the log has none."""
    owner, _, column = name.partition(".")
    match owner:
        case "user":
            return _of_table("user", log.users, column)
        case "item":
            return _of_table("item", log.items, column)
        case "event":
            return _of_events(log, column)
    return None


def _of_events(log: EventLog, column: str) -> Attribute | None:
    if column in log.columns:
        found = log.columns[column]
        return Attribute("event", found.data, found.values)
    match column:
        case "quantity":
            return Attribute("event", np.asarray(log.units, dtype=np.float64), None)
        case "price":
            price = np.where(log.price_cents < 0, np.nan, log.price_cents / 100)
            return Attribute("event", price, None)
        case "value":
            return Attribute("event", log.value_cents / 100, None)
    return None


def _of_table(owner: Literal["user", "item"], table: Entities, column: str) -> Attribute | None:
    if column not in table.attributes.columns:
        return None
    coded = coded_column(table.attributes[column])
    return Attribute(owner, coded.data, coded.values)
