"""What there is to know of a log before a task is checked against it, or suggested for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from model.events import EventLog, to_datetime
from model.events.attributes import attribute_names, find_attribute

ColumnKind = Literal["number", "category"]


SHOWN_VALUES = 200


@dataclass(frozen=True)
class AttributeProfile:
    """What an attribute holds.

    `values` are those of a category, the most frequent first, at most `SHOWN_VALUES`; None if they
    were not looked at. `has_more` says whether there are others.
    """

    kind: ColumnKind
    values: tuple[str, ...] | None = None
    has_more: bool = False


@dataclass(frozen=True)
class LogProfile:
    """A log in a few numbers.

    `event_types` counts the events of each type; `users` and `items` count the distinct ones;
    `has_value` says whether any event has a value, or a quantity and a price; `columns` says what
    each further column of the events holds, `attributes` the same of everything that a condition
    may look at, by full name (`item.category`, `event.rating`). Without `has_time` both times are
    1970 and mean nothing.
    """

    event_types: dict[str, int]
    first_at: datetime
    last_at: datetime
    users: int
    items: int
    has_value: bool
    has_quantity: bool
    has_time: bool = True
    columns: dict[str, ColumnKind] = field(default_factory=dict)
    attributes: dict[str, AttributeProfile] = field(default_factory=dict)

    @property
    def span_days(self) -> float:
        """From the first event to the last."""
        return (self.last_at - self.first_at) / timedelta(days=1)


def profile_of(log: EventLog) -> LogProfile:
    """The profile of a log in memory."""
    counts = np.bincount(log.event_type, minlength=len(log.event_types))
    return LogProfile(
        event_types=dict(zip(log.event_types, counts.tolist(), strict=True)),
        first_at=to_datetime(log.first_us),
        last_at=to_datetime(log.last_us),
        users=len(log.users),
        items=len(log.items),
        has_value=log.has_value,
        has_quantity=log.has_quantity,
        has_time=log.has_time,
        columns={
            name: "number" if column.values is None else "category"
            for name, column in log.columns.items()
        },
        attributes={name: _attribute(log, name) for name in attribute_names(log)},
    )


def _attribute(log: EventLog, name: str) -> AttributeProfile:
    attribute = find_attribute(log, name)
    assert attribute is not None
    if attribute.values is None:
        return AttributeProfile("number")
    codes = attribute.data.astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(attribute.values))
    order = np.argsort(-counts, kind="stable")[:SHOWN_VALUES]
    return AttributeProfile(
        kind="category",
        values=tuple(attribute.values[code] for code in order),
        has_more=len(attribute.values) > SHOWN_VALUES,
    )
