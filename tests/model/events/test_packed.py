from __future__ import annotations

import numpy as np
import pytest

from model.events import EventLog
from model.events.calendar import LocalClock, local_minutes
from model.events.index import SLOT_COLUMNS
from model.events.log import ROW_COLUMNS
from model.events.packed import COMPACT_EVENT, WIDE_EVENT, PackedEvents, room_for
from tests.model.made_logs import TIME_ZONE, random_log, same


def packed(log: EventLog, dtype: np.dtype[np.void] = COMPACT_EVENT) -> PackedEvents:
    events = room_for(len(log), dtype)
    for name in ROW_COLUMNS:
        events[name] = getattr(log, name)
        assert np.array_equal(events[name], getattr(log, name)), "fits"
    return PackedEvents(
        events,
        LocalClock(log.first_us, log.last_us, log.time_zone),
        {"user": np.diff(log.user_events.offsets), "item": np.diff(log.item_events.offsets)},
    )


@pytest.mark.parametrize("dtype", [COMPACT_EVENT, WIDE_EVENT], ids=["compact", "wide"])
@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("zone", ["UTC", TIME_ZONE])
def test_a_stretch_of_packed_events_is_one_of_the_index(
    zone: str, is_compiled: bool, dtype: np.dtype[np.void], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.packed.COMPILED", is_compiled)
    log = random_log(4, zone)
    monkeypatch.setattr("model.events.counting.COMPILED", is_compiled)
    of_users = packed(log, dtype).index("user"), log.user_events
    of_items = packed(log, dtype).index("item"), log.item_events
    for index, whole in (of_users, of_items):
        assert same(index.offsets, whole.offsets)
        found, expected = index.stretch(1, 4), whole.stretch(1, 4)
        for name in ("offsets", *SLOT_COLUMNS):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name
            if name != "rows":
                assert getattr(found, name).dtype == getattr(expected, name).dtype, name
        assert found.first == expected.first == 1


def test_a_compact_event_is_in_one_line_of_the_cache() -> None:
    events = room_for(5, COMPACT_EVENT)
    places = events.ctypes.data + np.arange(5) * COMPACT_EVENT.itemsize
    assert (places // 64 == (places + COMPACT_EVENT.itemsize - 1) // 64).all()


def test_a_stretch_has_the_events_of_its_entities_alone() -> None:
    index = random_log(5).user_events
    part = index.stretch(2, 5).stretch(3, 5)
    assert len(part) == 2
    codes = np.array([3, 4])
    cutoff_us = int(np.median(index.time_us))
    shift = index.offsets[3]
    assert (part.starts(codes) + shift).tolist() == index.starts(codes).tolist()
    assert (part.position(codes, cutoff_us) + shift).tolist() == index.position(
        codes, cutoff_us
    ).tolist()
    assert same(part.time_us, index.time_us[index.offsets[3] : index.offsets[5]])


@pytest.mark.parametrize("zone", ["UTC", TIME_ZONE, "Asia/Kolkata"])
def test_the_clock_says_what_the_calendar_says(zone: str) -> None:
    time_us = random_log(6).time_us
    clock = LocalClock(int(time_us[0]), int(time_us[-1]), zone)
    assert same(clock.minutes(time_us), local_minutes(time_us, zone))
