from __future__ import annotations

import numpy as np
import pytest

from model.events import EventLog
from model.events.calendar import LocalClock, local_minutes
from model.events.index import SLOT_COLUMNS
from model.events.log import ROW_COLUMNS
from model.events.packed import PACKED_EVENT, PackedEvents
from tests.model.made_logs import TIME_ZONE, random_log, same


def packed(log: EventLog) -> PackedEvents:
    events = np.empty(len(log), dtype=PACKED_EVENT)
    for name in ROW_COLUMNS:
        events[name] = getattr(log, name)
    return PackedEvents(events, LocalClock(log.first_us, log.last_us, log.time_zone))


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("zone", ["UTC", TIME_ZONE])
def test_what_is_picked_is_a_stretch_of_the_index(
    zone: str, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.events.packed.COMPILED", is_compiled)
    log = random_log(4, zone)
    sides = {"user": (log.user, log.user_events), "item": (log.item, log.item_events)}
    for side, (codes, index) in sides.items():
        expected = index.stretch(1, 4)
        rows = np.flatnonzero((codes >= 1) & (codes < 4)).astype(index.rows.dtype)
        found = packed(log).of_entities(side, 1, np.diff(expected.offsets), rows)  # type: ignore[arg-type]
        for name in ("offsets", *SLOT_COLUMNS):
            assert same(getattr(found, name), getattr(expected, name)), name
        assert found.first == expected.first == 1


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
