"""From Arrow tables of events to a log in memory, as `EventLog.from_frames` would make it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
import model.lazy_pandas as pd
from model.errors import InvalidEvents
from model.events.amounts import Amounts
from model.events.entities import Entities
from model.events.frames import EventColumn, check_type_names
from model.events.index import Codes
from model.events.log import EventLog
from model.events.ordering import ties_broken

CANONICAL = ("user", "item", "time", "event_type", "quantity", "price", "value")


def log_of_tables(
    tables: list[pa.Table],
    time_zone: str,
    users: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
) -> EventLog:
    """Sort and code the events.

    Args:
        tables: alike, in the order of import: `user`, `item` and `event_type` are texts, plain or
            encoded; `time` is in microseconds UTC, or absent in a log without times; `quantity`,
            `price`, `value` are float64; what else there is are float64 or texts.
        time_zone: the shop's.
        users: as for `EventLog.from_frames`; without it, those of the events are known.
        items: likewise.

    Raises:
        InvalidEvents: an event has no time or type, neither user nor item, or too large an amount.
    """
    table = pa.concat_tables(tables).unify_dictionaries()
    user, known_users = _entities("user", table["user"], users)
    item, known_items = _entities("item", table["item"], items)
    event_type, types = coded(table["event_type"])
    if bool(((user < 0) & (item < 0)).any()):
        raise InvalidEvents("an event has neither a user nor an item: give at least one")
    if bool((event_type < 0).any()):
        raise InvalidEvents("an event has no event_type: fill it in")
    check_type_names(map(str, types))
    amounts = Amounts.of(*(_numbers(table[name]) for name in ("quantity", "price", "value")))
    has_time = "time" in table.column_names
    time_us = _times(table["time"]) if has_time else np.zeros(len(table), dtype=np.int64)
    order = np.argsort(time_us, kind="stable")
    if has_time:
        columns = (user, item, event_type, amounts.units, amounts.price_cents, amounts.value_cents)
        order = ties_broken(order, time_us, columns)
    names = sorted(set(table.column_names) - set(CANONICAL))
    return EventLog(
        users=known_users,
        items=known_items,
        event_types=tuple(map(str, types)),
        time_zone=time_zone,
        user=user[order],
        item=item[order],
        time_us=time_us[order],
        event_type=event_type.astype(np.int16)[order],
        units=amounts.units[order],
        price_cents=amounts.price_cents[order],
        value_cents=amounts.value_cents[order],
        has_value=amounts.has_value,
        has_quantity=amounts.has_quantity,
        has_time=has_time,
        columns={name: _further(table[name], order) for name in names},
    )


def coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pd.Index]:
    """(N,) codes into the sorted distinct texts, -1 for missing."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = pa.chunked_array(column.chunks, column.type).unify_dictionaries().combine_chunks()
    texts = whole.dictionary
    indices = whole.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    used = np.bincount(indices, minlength=len(texts) + 1)[: len(texts)] > 0
    order = pc.sort_indices(texts).to_numpy()
    order = order[used[order]]
    rank = np.full(len(texts) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[indices], pd.Index(texts.take(pa.array(order)).to_pandas(), dtype="str")


def recoded(codes: Codes, to: Codes) -> NDArray[np.int32]:
    """Codes by a table of new ones; -1 stays."""
    with_missing = np.append(to, -1).astype(np.int32)
    return with_missing[codes]


def _entities(
    name: str, column: pa.ChunkedArray, table: pd.DataFrame | None
) -> tuple[NDArray[np.int32], Entities]:
    codes, seen = coded(column)
    entities = Entities.of(name, seen, table)
    return (codes if table is None else recoded(codes, entities.codes(seen))), entities


def _times(column: pa.ChunkedArray) -> NDArray[np.int64]:
    if column.null_count:
        raise InvalidEvents("an event has no time: fill it in or leave the event out")
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _further(column: pa.ChunkedArray, order: NDArray[np.intp]) -> EventColumn:
    if pa.types.is_floating(column.type):
        return EventColumn(_numbers(column)[order], None)
    codes, values = coded(column)
    return EventColumn(codes[order], tuple(map(str, values)))
