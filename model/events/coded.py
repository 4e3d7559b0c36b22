"""A log from columns whose ids and types are codes already: batch by batch, in bounded memory.

The log is packed, so that snapshots of many entities can be read without an index of all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.compiled import COMPILED, compiled
from model.errors import InvalidEvents
from model.events.amounts import MAX_AMOUNT, UNIT_STEP, Amounts
from model.events.calendar import LocalClock
from model.events.counting import count
from model.events.entities import Entities
from model.events.frames import check_type_names, check_zone
from model.events.log import ROW_COLUMNS, EventLog
from model.events.ordering import TIE_COLUMNS, tie_order, tied
from model.events.packed import (
    COMPACT_EVENT,
    WIDE_EVENT,
    Packed,
    PackedEvents,
    room_for,
)

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

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) > 1:
            raise InvalidEvents(f"the columns of a batch are not of one length: {lengths}")

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
    written = _Written(rows, (len(users), len(items), len(event_types)))
    with ThreadPoolExecutor(_WRITERS) as pool:
        for batch in filter(len, batches):
            written.write(batch, pool)
        written.settle(0)
    if written.length != rows:
        raise InvalidEvents(f"the batches have {written.length} events, not {rows}")
    written.break_ties()
    events = written.events
    columns = {name: events[name] for name in ROW_COLUMNS}
    first_us, last_us = (int(events["time_us"][n]) if rows else 0 for n in (0, -1))
    return EventLog(
        users=users,
        items=items,
        event_types=tuple(event_types),
        time_zone=time_zone,
        has_value=written.has_value,
        has_quantity=written.has_quantity,
        has_time=True,
        columns={},
        packed=PackedEvents(events, LocalClock(first_us, last_us, time_zone), written.counts),
        **columns,
    )


class _Written:
    """The events of the batches so far; compact until one does not fit.

    Attributes:
        events: (rows,) those that come are not filled yet.
        length: how many have come.
        counts: by `user` and `item`, how many each of them has.
        has_value: whether one has a value; of quantities alike.

    Args:
        rows: how many will come.
        known: how many users, items and event types there are.
    """

    def __init__(self, rows: int, known: tuple[int, int, int]) -> None:
        self.events = room_for(rows, COMPACT_EVENT)
        self.length = 0
        self.counts: dict[Literal["user", "item"], NDArray[np.int64]] = {
            "user": np.zeros(known[0], dtype=np.int64),
            "item": np.zeros(known[1], dtype=np.int64),
        }
        self.has_value = self.has_quantity = False
        self._known = known
        self._newest_us = _EARLIEST_US
        self._waiting: deque[_Waiting] = deque()
        self._tied: list[tuple[int, int]] = []

    def write(self, batch: CodedEvents, pool: ThreadPoolExecutor) -> None:
        """Put a batch to its place in another thread, when there are not many to be written."""
        start, self.length = self.length, self.length + len(batch)
        if self.length > len(self.events):  # more than was said
            return
        place = self.events[start : self.length]
        told = pool.submit(_put, batch, place, self._newest_us, self._known)
        self._waiting.append(_Waiting(batch, start, self._newest_us, place.dtype, told))
        self._newest_us = int(batch.time_us[-1])
        self.settle(_WRITERS)

    def settle(self, spare: int) -> None:
        """Wait for what is being written, up to some batches."""
        while len(self._waiting) > spare:
            waiting = self._waiting.popleft()
            batch, start, told = waiting.batch, waiting.start, waiting.told.result()
            if not told.does_fit and waiting.dtype == self.events.dtype:
                self._widen(start)
            if waiting.dtype != self.events.dtype:  # it was written to what is given up
                place = self.events[start : start + len(batch)]
                told = _put(batch, place, waiting.newest_us, self._known)
            count(batch.user, self.counts["user"])
            count(batch.item, self.counts["item"])
            self.has_value |= told.has_value
            self.has_quantity |= told.has_quantity
            if told.has_ties:
                self._tie(max(start - 1, 0), start + len(batch))

    def _widen(self, length: int) -> None:
        """From now on events are wide; so many are there already."""
        wide = room_for(len(self.events), WIDE_EVENT)
        for name in ROW_COLUMNS:
            wide[name][:length] = self.events[name][:length]
        self.events = wide

    def _tie(self, start: int, stop: int) -> None:
        """Some of these events are of one moment; a moment is in one stretch."""
        if self._tied and start < self._tied[-1][1]:
            start = self._tied.pop()[0]
        self._tied.append((start, stop))

    def break_ties(self) -> None:
        """Put the events of each moment in order."""
        for start, stop in self._tied:
            events = self.events[start:stop]
            places = tied(events["time_us"])
            if len(places):
                some = events[places]
                order = tie_order(some["time_us"], [some[name] for name in TIE_COLUMNS])
                events[places] = some[order]


@dataclass(frozen=True)
class _Waiting:
    """A batch that is being written: from where on, after which moment, as which events."""

    batch: CodedEvents
    start: int
    newest_us: int
    dtype: np.dtype[np.void]
    told: Future[_Told]


@dataclass(frozen=True)
class _Told:
    """What a batch has: amounts, perhaps several events at one moment; whether it was written."""

    has_value: bool = False
    has_quantity: bool = False
    has_ties: bool = False
    does_fit: bool = True


def _put(batch: CodedEvents, events: Packed, newest_us: int, known: tuple[int, int, int]) -> _Told:
    """Write a batch to its place, if nothing is wrong with it.

    Args:
        batch: n events.
        events: (n,) their place.
        newest_us: the time of the event before.
        known: how many users, items and event types there are.
    """
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
        column = getattr(amounts, name)
        with np.errstate(over="ignore"):
            events[name] = column
        if not np.array_equal(events[name], column):
            return _Told(does_fit=False)
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
    """Says whether nothing is wrong and all fits; what does not, is looked for without hurry.

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
        is_large = abs(units) > _SURELY_ALLOWED or (
            max(abs(cents), abs(value_cents)) > 100 * _SURELY_ALLOWED
        )
        is_known = (
            -1 <= user[n] < known[0] and -1 <= item[n] < known[1] and 0 <= event_type[n] < known[2]
        )
        is_late = time_us[n] < newest_us
        if not is_known or is_late or is_large or (user[n] < 0 and item[n] < 0):
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
        if (
            event.units != units
            or event.price_cents != np.int64(cents)
            or event.value_cents != np.int64(value_cents)
        ):
            return False, False, False, False
    return True, has_value, has_quantity, has_ties


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
