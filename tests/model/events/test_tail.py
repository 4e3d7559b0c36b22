from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InvalidEvents
from model.events import EntityEvents, EventLog
from model.events.tail import LogWithTail

START = pd.Timestamp("2024-10-27T00:30Z").as_unit("us")  # clocks are set back soon

rows = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.sampled_from(["x", "y", "z"]),
    st.integers(0, 6),
    st.sampled_from(["view", "purchase", "like"]),
    st.sampled_from([1.0, 2.5, None]),
    st.sampled_from([9.99, None]),
)


def frame_of(events: list[tuple[object, ...]]) -> pd.DataFrame:
    names = ["user", "item", "time", "event_type", "quantity", "price"]
    frame = pd.DataFrame(events, columns=names)
    texts = dict.fromkeys(("user", "item", "event_type"), "str")
    frame = frame.astype(texts | {"quantity": "float64", "price": "float64"})
    return frame.assign(time=START + pd.to_timedelta(frame["time"] * 17, unit="min"))


def names(codes: np.ndarray, known: list[str]) -> list[str | None]:
    return [known[code] if code >= 0 else None for code in codes]


def told(events: EntityEvents, entity: int, counterparts: list[str], types: list[str]) -> list:
    """What an index says of an entity, in names instead of codes."""
    slots = slice(events.offsets[entity], events.offsets[entity + 1])
    plain = ("time_us", "units", "price_cents", "value_cents", "local_minute")
    return [
        names(events.counterpart[slots], counterparts),
        names(events.event_type[slots], types),
        *(getattr(events, name)[slots].tolist() for name in plain),
    ]


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=10), st.lists(rows, min_size=1, max_size=6))
def test_an_entity_has_the_events_that_an_index_of_all_would_say(
    old: list[tuple[object, ...]], new: list[tuple[object, ...]]
) -> None:
    base = EventLog.from_frames(frame_of(old), time_zone="Europe/Berlin")
    both = pd.concat([frame_of(old), frame_of(new)], ignore_index=True)
    rebuilt = EventLog.from_frames(both, time_zone="Europe/Berlin")
    log = LogWithTail(base, frame_of(new))
    users, items = list(rebuilt.users.ids), list(rebuilt.items.ids)
    user_of = {log.code("user", name): name for name in users}
    item_of = {log.code("item", name): name for name in items}
    by_code = [user_of.get(code, "?") for code in range(len(users))]
    items_by_code = [item_of.get(code, "?") for code in range(len(items))]
    types, rebuilt_types = list(log.event_types), list(rebuilt.event_types)
    for code, name in enumerate(users):
        found = log.events_of("user", log.code("user", name))
        expected = told(rebuilt.user_events, code, items, rebuilt_types)
        assert told(found, 0, items_by_code, types) == expected
        assert len(set(found.rows.tolist())) == len(found.rows)
        for item_code, item in enumerate(items):
            pair = rebuilt.pair_events.codes(np.array([code]), np.array([item_code]))[0]
            found = log.events_of_pair(log.code("user", name), log.code("item", item))
            if pair < 0:
                assert not len(found.rows)
            else:
                expected = told(rebuilt.pair_events.events, pair, items, rebuilt_types)
                assert told(found, 0, items_by_code, types) == expected
    for code, name in enumerate(items):
        found = log.events_of("item", log.code("item", name))
        expected = told(rebuilt.item_events, code, users, rebuilt_types)
        assert told(found, 0, by_code, types) == expected


def test_rows_of_the_tail_come_after_those_of_the_log() -> None:
    base = EventLog.from_frames(frame_of([("a", "x", 3, "view", None, None)] * 2))
    log = LogWithTail(base, frame_of([("a", "x", 1, "view", None, None)] * 2))
    assert log.events_of("user", 0).rows.tolist() == [2, 3, 0, 1]


def test_nobody_knows_a_stranger() -> None:
    base = EventLog.from_frames(frame_of([("a", "x", 3, "view", None, None)]))
    log = LogWithTail(base, frame_of([("b", "x", 1, "view", None, None)]))
    assert log.code("user", "c") == -1
    assert not len(log.events_of("user", -1).rows)
    assert not len(log.events_of("item", 7).rows)


def test_times_are_of_both_or_of_none() -> None:
    frame = frame_of([("a", "x", 3, "view", None, None)])
    with pytest.raises(InvalidEvents, match="times"):
        LogWithTail(EventLog.from_frames(frame), frame.drop(columns="time"))
