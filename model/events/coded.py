"""A log from columns whose ids and types are codes already: batch by batch, in bounded memory.

The log is packed, so that snapshots of many entities can be read without an index of all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled
from model.errors import InvalidEvents
from model.events.amounts import MAX_AMOUNT, UNIT_STEP, Amounts
from model.events.calendar import LocalClock
from model.events.entities import Entities
from model.events.frames import check_type_names, check_zone
from model.events.log import ROW_COLUMNS, EventLog
from model.events.ordering import TIE_COLUMNS, tie_order, tied
from model.events.packed import PACKED_EVENT, Packed, PackedEvents

_SURELY_ALLOWED = 0.99 * MAX_AMOUNT
_EARLIEST_US = -(2**63)
_WRITERS = 2
"""Threads that write batches to their places, beside the one that makes batches."""


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
    """Put the batches into one log; beside it, a few batches at a time are in memory.

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
    known = (len(users), len(items), len(event_types))
    events = np.empty(rows, dtype=PACKED_EVENT)
    told: list[_Told] = []
    waiting: deque[Future[_Told]] = deque()
    start, newest_us = 0, _EARLIEST_US
    with ThreadPoolExecutor(_WRITERS) as pool:
        for batch in filter(len, batches):
            place = events[start : start + len(batch)]
            waiting.append(pool.submit(_put, batch, place, newest_us, known))
            start, newest_us = start + len(batch), int(batch.time_us[-1])
            if len(waiting) > _WRITERS:
                told.append(waiting.popleft().result())
        told += [future.result() for future in waiting]
    if start != rows:
        raise InvalidEvents(f"the batches have {start} events, not {rows}")
    if any(batch.has_ties for batch in told):
        _break_ties(events)
    columns = {name: events[name] for name in ROW_COLUMNS}
    first_us, last_us = (int(events["time_us"][n]) if rows else 0 for n in (0, -1))
    return EventLog(
        users=users,
        items=items,
        event_types=tuple(event_types),
        time_zone=time_zone,
        has_value=any(batch.has_value for batch in told),
        has_quantity=any(batch.has_quantity for batch in told),
        has_time=True,
        columns={},
        packed=PackedEvents(events, LocalClock(first_us, last_us, time_zone)),
        **columns,
    )


@dataclass(frozen=True)
class _Told:
    """What a batch has: amounts, perhaps several events at one moment."""

    has_value: bool = False
    has_quantity: bool = False
    has_ties: bool = False


def _put(batch: CodedEvents, events: Packed, newest_us: int, known: tuple[int, int, int]) -> _Told:
    """Write a batch to its place, if nothing is wrong with it.

    Args:
        batch: n events.
        events: (n,) their place.
        newest_us: the time of the event before.
        known: how many users, items and event types there are.
    """
    if len(events) != len(batch):  # more than was said
        return _Told()
    if COMPILED:
        is_right, *told = _write(
            batch.user,
            batch.item,
            batch.time_us,
            batch.event_type,
            batch.quantity,
            batch.price,
            newest_us,
            known,
            events,
        )
        if is_right:
            return _Told(*map(bool, told))
    _check_codes(batch, *known)
    _check_order(batch, newest_us)
    amounts = Amounts.of(batch.quantity, batch.price, np.full(len(batch), np.nan))
    for name in ("user", "item", "time_us", "event_type"):
        events[name] = getattr(batch, name)
    for name in ("units", "price_cents", "value_cents"):
        events[name] = getattr(amounts, name)
    return _Told(amounts.has_value, amounts.has_quantity, has_ties=True)


@compiled
def _write(
    user: NDArray[np.integer],
    item: NDArray[np.integer],
    time_us: NDArray[np.int64],
    event_type: NDArray[np.integer],
    quantity: NDArray[np.float64],
    price: NDArray[np.float64],
    newest_us: int,
    known: tuple[int, int, int],
    events: Packed,
) -> tuple[bool, bool, bool, bool]:
    """Says whether nothing is wrong; what is, is looked for without hurry.

    The amounts are those of `Amounts.of`.
    """
    has_value = has_quantity = has_ties = False
    for n in range(len(time_us)):
        units, cents, value_cents = 1.0, -1.0, 0.0
        if not np.isnan(quantity[n]):
            has_quantity = True
            units = np.rint(quantity[n] / UNIT_STEP) * UNIT_STEP
        if not np.isnan(price[n]):
            cents = np.rint(price[n] * 100)
        value = quantity[n] * price[n]
        if not np.isnan(value):
            has_value = True
            value_cents = np.rint(value * 100)
        largest = max(abs(units), abs(cents) / 100, abs(value_cents) / 100)
        is_known = (
            -1 <= user[n] < known[0] and -1 <= item[n] < known[1] and 0 <= event_type[n] < known[2]
        )
        is_late = time_us[n] < newest_us
        if not is_known or is_late or largest > _SURELY_ALLOWED or (user[n] < 0 and item[n] < 0):
            return False, False, False, False
        has_ties |= time_us[n] == newest_us
        newest_us = time_us[n]
        event: Any = events[n]
        event.user = user[n]
        event.item = item[n]
        event.time_us = time_us[n]
        event.event_type = event_type[n]
        event.units = units
        event.price_cents = np.int64(cents)
        event.value_cents = np.int64(value_cents)
    return True, has_value, has_quantity, has_ties


def _break_ties(events: Packed) -> None:
    """Put the events of one moment in order."""
    places = tied(events["time_us"])
    if len(places):
        some = events[places]
        events[places] = some[tie_order(some["time_us"], [some[name] for name in TIE_COLUMNS])]


def _check_codes(batch: CodedEvents, users: int, items: int, types: int) -> None:
    for name, least, size in (("user", -1, users), ("item", -1, items), ("event_type", 0, types)):
        codes: NDArray[np.integer] = getattr(batch, name)
        if len(codes) and not (least <= codes.min() and codes.max() < size):
            raise InvalidEvents(
                f"a code of {name} is {codes.min()} or {codes.max()}: there are {size}"
            )
    if bool(((batch.user < 0) & (batch.item < 0)).any()):
        raise InvalidEvents("an event has neither a user nor an item: give at least one")


def _check_order(batch: CodedEvents, newest_us: int) -> None:
    times = batch.time_us
    is_late = len(times) > 0 and times[0] < newest_us
    if is_late or bool((times[1:] < times[:-1]).any()):
        raise InvalidEvents("the events are not in the order of time: sort them first")
