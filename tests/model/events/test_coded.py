from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from model.errors import InvalidEvents
from model.events import Entities, EventLog
from model.events.coded import CodedEvents, log_of_coded
from model.events.log import ROW_COLUMNS
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
    for name in ROW_COLUMNS:
        assert same(getattr(log, name).copy(), getattr(expected, name)), name
    assert (log.has_value, log.has_quantity) == (expected.has_value, expected.has_quantity)
    assert log.event_types == expected.event_types
    assert list(log.users.ids) == list(expected.users.ids)


def test_names_what_is_wrong() -> None:
    events = in_order(2)
    whole = coded(events)
    with pytest.raises(InvalidEvents, match="not in the order of time"):
        log_of(events, [take(whole, slice(5, 9)), take(whole, slice(0, 5))], 9)
    with pytest.raises(InvalidEvents, match="the batches have 250 events, not 251"):
        log_of(events, [whole], 251)
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
    nobody = np.full(len(whole), -1)
    with pytest.raises(InvalidEvents, match="neither a user nor an item"):
        log_of(events, [replace(whole, user=nobody, item=nobody)])
