"""The events that some entities have in a log and in its tail, side by side and in order."""

# n events, R entities

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.events.index import SLOT_COLUMNS, EntityEvents
from model.events.ordering import tie_order
from model.events.tail_codes import TailCodes
from model.events.tail_rows import OwnedRows, TailRows

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Joined:
    """What is put together.

    Attributes:
        base: the log's events of entities of this kind.
        codes: (R,) whose; -1 for one that the log has no events of.
        base_rows: how many events the log has.
        tail: the tail's events.
        counterpart: which of the tail's columns is the other side.
        names: the codes of that side.
        event_types: what the codes of types mean.
        by_time: whether the events have an order.
    """

    base: EntityEvents
    codes: Longs
    base_rows: int
    tail: TailRows
    counterpart: Literal["user", "item"]
    names: TailCodes
    event_types: tuple[str, ...]
    by_time: bool


def joined(what: Joined, rows: OwnedRows) -> EntityEvents:
    """An index whose entity r has the events of the r-th code, and its rows of the tail."""
    base = what.base.gathered(what.codes)
    if not len(rows.rows):
        return base
    known = np.repeat(np.arange(len(base)), np.diff(base.offsets))
    owner = np.concatenate([known, rows.owner])
    columns = {
        name: np.concatenate([getattr(base, name), _of_tail(what, name, rows.rows)])
        for name in SLOT_COLUMNS
    }
    is_new = np.arange(len(owner)) >= len(known)
    order = _order(what, owner, columns, is_new)
    return EntityEvents(
        offsets=_offsets(owner, len(what.codes)),
        first=0,
        **{name: column[order] for name, column in columns.items()},
    )


def _of_tail(what: Joined, name: str, rows: Longs) -> NDArray[Any]:
    if name == "rows":
        return (rows + what.base_rows).astype(what.base.rows.dtype)
    return what.tail.column(what.counterpart if name == "counterpart" else name)[rows]


def _offsets(owner: Longs, entities: int) -> Longs:
    return np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=entities))]).astype(np.int64)


def _order(
    what: Joined, owner: Longs, columns: dict[str, NDArray[Any]], is_new: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """By owner and time, and at one moment as a log would be ordered."""
    if not what.by_time:
        return np.argsort(owner, kind="stable")
    time_us = columns["time_us"]
    order = np.lexsort([time_us, owner])
    sorted_us, sorted_owner = time_us[order], owner[order]
    opens = (sorted_us[1:] != sorted_us[:-1]) | (sorted_owner[1:] != sorted_owner[:-1])
    if opens.all():
        return order
    moment = np.concatenate([[0], np.cumsum(opens)])
    # The log's own events are in order; a new one may belong between those of its moment.
    unsettled = (np.bincount(moment, weights=is_new[order]) > 0) & (np.bincount(moment) > 1)
    places = np.flatnonzero(unsettled[moment])
    if len(places):
        tied = order[places]
        order[places] = tied[tie_order(moment[places], _decisive(what, columns, tied))]
    return order


def _decisive(what: Joined, columns: dict[str, NDArray[Any]], rows: Longs) -> list[NDArray[Any]]:
    """What decides at one moment: names, since codes of the tail are in no order."""
    types = np.array(what.event_types)[columns["event_type"][rows]]
    return [
        what.names.ranks(columns["counterpart"][rows].astype(np.int64)),
        np.unique(types, return_inverse=True)[1],
        *(columns[name][rows] for name in ("units", "price_cents", "value_cents")),
    ]
