"""A log from columns whose ids and types are codes already: batch by batch, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from model.errors import InvalidEvents
from model.events.amounts import Amounts
from model.events.entities import Entities
from model.events.frames import check_type_names, check_zone
from model.events.log import EventLog
from model.events.ordering import TIE_COLUMNS, tie_order, tied


@dataclass(frozen=True)
class CodedEvents:
    """Some events; all arrays have one entry per event.

    Attributes:
        user: codes, -1 for none; `item` alike.
        item: an event has a user or an item.
        time_us: microseconds since 1970, UTC.
        event_type: codes.
        quantity: NaN for none, `price` alike; the value of an event is their product.
        price: of one unit.
    """

    user: NDArray[np.integer]
    item: NDArray[np.integer]
    time_us: NDArray[np.int64]
    event_type: NDArray[np.integer]
    quantity: NDArray[np.float64]
    price: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time_us)


def log_of_coded(
    batches: Iterable[CodedEvents],
    rows: int,
    *,
    users: Entities,
    items: Entities,
    event_types: Sequence[str],
    time_zone: str = "UTC",
) -> EventLog:
    """Put the batches into one log; beside it, a batch at a time is in memory.

    Args:
        batches: in the order of time, all together.
        rows: how many events they have.
        users: whom the codes mean.
        items: what the codes mean.
        event_types: what the codes mean.
        time_zone: the shop's, as an IANA name.

    Raises:
        InvalidEvents: a code means nothing, an event has neither user nor item, the events are not
            in order, or an amount is too large.
    """
    check_zone(time_zone)
    check_type_names(list(event_types))
    columns = _Columns.empty(rows)
    has_value = has_quantity = False
    start = 0
    for batch in batches:
        _check_codes(batch, len(users), len(items), len(event_types))
        _check_order(batch, columns.time_us[start - 1] if start else None)
        nothing = np.full(len(batch), np.nan)
        amounts = Amounts.of(batch.quantity, batch.price, nothing)
        has_value |= amounts.has_value
        has_quantity |= amounts.has_quantity
        columns.put(slice(start, start + len(batch)), batch, amounts)
        start += len(batch)
    if start != rows:
        raise InvalidEvents(f"the batches have {start} events, not {rows}")
    columns.break_ties()
    return EventLog(
        users=users,
        items=items,
        event_types=tuple(event_types),
        time_zone=time_zone,
        has_value=has_value,
        has_quantity=has_quantity,
        **{field.name: getattr(columns, field.name) for field in fields(columns)},
    )


@dataclass(frozen=True)
class _Columns:
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time_us: NDArray[np.int64]
    event_type: NDArray[np.int16]
    units: NDArray[np.float64]
    price_cents: NDArray[np.int64]
    value_cents: NDArray[np.int64]

    @classmethod
    def empty(cls, rows: int) -> _Columns:
        return cls(
            user=np.empty(rows, dtype=np.int32),
            item=np.empty(rows, dtype=np.int32),
            time_us=np.empty(rows, dtype=np.int64),
            event_type=np.empty(rows, dtype=np.int16),
            units=np.empty(rows, dtype=np.float64),
            price_cents=np.empty(rows, dtype=np.int64),
            value_cents=np.empty(rows, dtype=np.int64),
        )

    def break_ties(self) -> None:
        """Put the events of one moment in order."""
        places = tied(self.time_us)
        if len(places):
            ties = [getattr(self, name)[places] for name in TIE_COLUMNS]
            order = tie_order(self.time_us[places], ties)
            for column, numbers in zip(TIE_COLUMNS, ties, strict=True):
                getattr(self, column)[places] = numbers[order]

    def put(self, rows: slice, batch: CodedEvents, amounts: Amounts) -> None:
        for name in ("user", "item", "time_us", "event_type"):
            getattr(self, name)[rows] = getattr(batch, name)
        for name in ("units", "price_cents", "value_cents"):
            getattr(self, name)[rows] = getattr(amounts, name)


def _check_codes(batch: CodedEvents, users: int, items: int, types: int) -> None:
    for name, least, size in (("user", -1, users), ("item", -1, items), ("event_type", 0, types)):
        codes: NDArray[np.integer] = getattr(batch, name)
        if len(codes) and not (least <= codes.min() and codes.max() < size):
            raise InvalidEvents(
                f"a code of {name} is {codes.min()} or {codes.max()}: there are {size}"
            )
    if bool(((batch.user < 0) & (batch.item < 0)).any()):
        raise InvalidEvents("an event has neither a user nor an item: give at least one")


def _check_order(batch: CodedEvents, newest_us: int | None) -> None:
    times = batch.time_us
    is_late = len(times) > 0 and newest_us is not None and times[0] < newest_us
    if is_late or bool((times[1:] < times[:-1]).any()):
        raise InvalidEvents("the events are not in the order of time: sort them first")
