from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from model.errors import InvalidEvents
from model.events import Entities, EventLog
from model.events.coded import CodedEvents, log_of_coded
from model.events.log import ROW_COLUMNS
from model.events.packed import COMPACT_EVENT, WIDE_EVENT
from tests.model.made_logs import random_events, same

TYPES = ("cart", "purchase", "view")


def entities(column: pd.Series) -> Entities:
    ids = pd.Index(sorted(column.dropna().unique()), dtype="str")
    return Entities(ids=ids, attributes=pd.DataFrame(index=range(len(ids))))


def in_order(seed: int) -> pd.DataFrame:
    return random_events(np.random.default_rng(seed)).sort_values("time", kind="stable")


def coded(events: pd.DataFrame) -> CodedEvents:
    return CodedEvents(
        user=entities(events["user"]).codes(events["user"]),
        item=entities(events["item"]).codes(events["item"]),
        time_us=events["time"].astype("int64").to_numpy(),
        event_type=np.array([TYPES.index(name) for name in events["event_type"]]),
        quantity=events["quantity"].to_numpy(),
        price=events["price"].to_numpy(),
    )


def take(events: CodedEvents, rows: slice) -> CodedEvents:
    return CodedEvents(**{f.name: getattr(events, f.name)[rows] for f in fields(events)})


def log_of(events: pd.DataFrame, batches: list[CodedEvents], rows: int | None = None) -> EventLog:
    return log_of_coded(
        batches,
        len(events) if rows is None else rows,
        users=entities(events["user"]),
        items=entities(events["item"]),
        event_types=TYPES,
    )


def same_events(log: EventLog, expected: EventLog) -> bool:
    """The same rows, whatever the types of the amounts, and the same indices."""
    return (
        all(np.array_equal(getattr(log, n), getattr(expected, n)) for n in ROW_COLUMNS)
        and all(
            same(getattr(log.user_events, f.name), getattr(expected.user_events, f.name))
            for f in fields(expected.user_events)
            if f.name != "first"
        )
        and log.packed is not None
        and np.array_equal(log.packed.counts["user"], np.diff(expected.user_events.offsets))
        and np.array_equal(log.packed.counts["item"], np.diff(expected.item_events.offsets))
    )


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_is_the_log_of_the_frame_however_it_is_cut(
    size: int, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.coded.COMPILED", is_compiled)
    events = in_order(1)
    whole = coded(events)
    batches = [take(whole, slice(k, k + size)) for k in range(0, len(whole), size)]
    log, expected = log_of(events, batches), EventLog.from_frames(events)
    assert log.packed is not None
    assert log.packed.events_N.dtype == COMPACT_EVENT
    assert same_events(log, expected)
    assert (log.has_value, log.has_quantity) == (expected.has_value, expected.has_quantity)
    assert log.event_types == expected.event_types
    assert list(log.users.ids) == list(expected.users.ids)


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("column", ["price", "quantity"])
@pytest.mark.parametrize("size", [1, 3, 40, 1000])
def test_events_become_wide_where_amounts_do_not_fit(
    size: int, column: str, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.coded.COMPILED", is_compiled)
    events = in_order(3)
    # Cents above 2^31, or a fraction with more digits than a float32 has.
    events.iloc[117, events.columns.get_loc(column)] = 12_345_678.9
    events.iloc[180, events.columns.get_loc(column)] = 87_654_321.5
    whole = coded(events)
    batches = [take(whole, slice(k, k + size)) for k in range(0, len(whole), size)]
    log, expected = log_of(events, batches), EventLog.from_frames(events)
    assert log.packed is not None
    assert log.packed.events_N.dtype == WIDE_EVENT
    assert same_events(log, expected)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_events_of_a_moment_are_in_order_however_they_are_cut(size: int) -> None:
    events = in_order(4)
    rng = np.random.default_rng(4)
    moments = np.sort(rng.choice(events["time"].to_numpy(), 9))
    events["time"] = pd.to_datetime(np.sort(rng.choice(moments, len(events))), utc=True)
    whole = coded(events)
    batches = [take(whole, slice(k, k + size)) for k in range(0, len(whole), size)]
    assert same_events(log_of(events, batches), EventLog.from_frames(events))


def test_names_what_is_wrong() -> None:
    events = in_order(2)
    whole = coded(events)
    with pytest.raises(InvalidEvents, match="not in the order of time"):
        log_of(events, [take(whole, slice(5, 9)), take(whole, slice(0, 5))], 9)
    with pytest.raises(InvalidEvents, match="the batches have 250 events, not 251"):
        log_of(events, [whole], 251)
    with pytest.raises(InvalidEvents, match="the batches have 250 events, not 249"):
        log_of(events, [whole], 249)
    with pytest.raises(InvalidEvents, match="a code of event_type is"):
        log_of(events, [replace(whole, event_type=whole.event_type + 1)])
    with pytest.raises(InvalidEvents, match=r"an event has the value -?2e"):
        log_of(
            events,
            [
                replace(
                    whole,
                    price=np.full(len(whole), 1e12),
                    quantity=whole.quantity / whole.quantity * 2,
                )
            ],
        )
    with pytest.raises(InvalidEvents, match=r"not of one length: .*'price': 249"):
        replace(whole, price=whole.price[1:])
    nobody = np.full(len(whole), -1)
    with pytest.raises(InvalidEvents, match="neither a user nor an item"):
        log_of(events, [replace(whole, user=nobody, item=nobody)])
