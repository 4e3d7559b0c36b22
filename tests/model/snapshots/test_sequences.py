from __future__ import annotations

import numpy as np
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY
from model.snapshots import SnapshotPlan, SnapshotReader
from tests.model.made_logs import START_US, random_log, same

LENGTH = 6
CUTOFF_US = START_US + 40 * MICROSECONDS_PER_DAY


def reader_of(seed: int, *, use_compiler: bool = True) -> SnapshotReader:
    log = random_log(seed)
    plan = SnapshotPlan.from_log(log, [], Config(sequence_length=LENGTH), CUTOFF_US)
    # One item and one type that the model does not know.
    users = plan.users.model_copy(update={"event_types": plan.users.event_types[:2]})
    plan = plan.model_copy(update={"users": users, "item_ids": plan.item_ids[1:]})
    return SnapshotReader(log, plan, use_compiler=use_compiler)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("days", [1, 40])
def test_a_sequence_is_the_last_events_newest_at_the_end(seed: int, days: int) -> None:
    reader = reader_of(seed)
    log, cutoff_us = reader.log, START_US + days * MICROSECONDS_PER_DAY
    known_items = list(reader.plan.item_ids)
    known_types = list(reader.plan.users.event_types)
    arrays = reader.arrays(reader.user_inputs(np.arange(len(log.users)), cutoff_us))
    for user in range(len(log.users)):
        own = np.flatnonzero((log.user == user) & (log.time_us <= cutoff_us))[-LENGTH:]
        padding = LENGTH - len(own)
        for name in ("items", "types", "gaps", "amounts"):
            assert (arrays[name][user, :padding] == 0).all()
        for place, event in enumerate(own, start=padding):
            item = str(log.items.ids[log.item[event]]) if log.item[event] >= 0 else None
            code = known_items.index(item) + 1 if item in known_items else 0
            assert arrays["items"][user, place] == code
            name = log.event_types[log.event_type[event]]
            code = known_types.index(name) + 1 if name in known_types else 0
            assert arrays["types"][user, place] == code
            gap = (cutoff_us - log.time_us[event]) / MICROSECONDS_PER_DAY
            assert arrays["gaps"][user, place] == pytest.approx(np.log1p(gap), rel=1e-5)
            value = log.value_cents[event] / 100
            expected = np.sign(value) * np.log1p(abs(value))
            assert arrays["amounts"][user, place] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_compiled_or_not_the_sequences_are_the_same(seed: int) -> None:
    readers = [reader_of(seed, use_compiler=use_compiler) for use_compiler in (True, False)]
    users = np.repeat(np.arange(len(readers[0].log.users)), 3)
    cutoffs_us = START_US + np.arange(len(users)) * 5 * MICROSECONDS_PER_DAY + 17
    compiled, numpy = (reader.arrays(reader.user_inputs(users, cutoffs_us)) for reader in readers)
    for name in ("items", "types", "gaps", "amounts"):
        assert same(compiled[name], numpy[name]), name


def test_an_item_has_no_sequence() -> None:
    reader = reader_of(0)
    arrays = reader.arrays(reader.item_inputs(np.arange(3), CUTOFF_US))
    assert arrays["types"].shape == (3, LENGTH)
    assert not arrays["types"].any()
    assert not arrays["items"].any()


def test_items_have_the_codes_of_the_model_wherever_they_are_read() -> None:
    reader = reader_of(0)
    items = np.arange(len(reader.log.items))
    codes = reader.item_inputs(items, CUTOFF_US).item_codes
    for item, code in zip(items, codes, strict=True):
        name = str(reader.log.items.ids[item])
        known = reader.plan.item_ids
        assert code == (known.index(name) + 1 if name in known else 0)
