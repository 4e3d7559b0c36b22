from __future__ import annotations

import numpy as np
import pytest

from model.events import MICROSECONDS_PER_DAY
from model.snapshots import recent
from model.snapshots.recent import RecentCounterparts
from model.snapshots.scan import NEVER_US, RECENTS
from tests.model.made_logs import START_US, random_log

DAY = MICROSECONDS_PER_DAY


def rows(items: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    met = rng.integers(0, items, (40, 50)).astype(np.int32)
    met[np.arange(50) >= rng.integers(0, 51, 40)[:, None]] = -1
    return met, START_US + rng.choice([20, 70, 400], 40) * DAY


@pytest.mark.parametrize("is_compiled", [True, False])
def test_few_rows_and_many_read_the_same(
    is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "COMPILED", is_compiled)
    log = random_log(0)
    met, cutoffs_us = rows(len(log.items))
    counterparts = RecentCounterparts(log.item_events, RECENTS)
    together = counterparts.sums(met, cutoffs_us)
    monkeypatch.setattr(recent, "_MAX_TABLE", 0)
    alone = counterparts.sums(met, cutoffs_us)
    for name in RECENTS:
        assert together[name].tolist() == alone[name].tolist()


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("few", [recent._FEW, 0])
def test_one_moment_is_read_as_many_are(
    few: int, is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "COMPILED", is_compiled)
    monkeypatch.setattr(recent, "_FEW", few)
    monkeypatch.setattr(recent, "_MAX_TABLE", 0)
    log = random_log(0)
    met, _ = rows(len(log.items))
    at_us = np.full(len(met), START_US + 70 * DAY)
    counterparts = RecentCounterparts(log.item_events, RECENTS)
    found, codes = counterparts.sums(met, at_us), met[met >= 0]
    each = counterparts.all_numbers(codes, np.full(len(codes), at_us[0]))
    for name in RECENTS:
        own = counterparts.numbers(name, codes.astype(np.int64), np.full(len(codes), at_us[0]))
        sums = np.zeros(len(met), dtype=np.int64)
        np.add.at(sums, np.nonzero(met >= 0)[0], own)
        assert found[name].tolist() == sums.tolist()
        assert each[name].tolist() == own.tolist()


def test_what_was_found_at_a_cutoff_is_kept_for_the_next_who_asks() -> None:
    log = random_log(0)
    met, _ = rows(len(log.items))
    counterparts, cutoffs_us = RecentCounterparts(log.item_events, RECENTS), [20, 70, 20]
    for days in cutoffs_us:
        at_us = np.full(len(met), START_US + days * DAY)
        for row in range(len(met)):
            one = slice(row, row + 1)
            fresh = RecentCounterparts(log.item_events, RECENTS).sums(met[one], at_us[one])
            assert counterparts.sums(met[one], at_us[one]) == fresh


def test_what_is_summed_is_what_is_known_at_the_cutoff() -> None:
    log = random_log(1)
    met, cutoffs_us = rows(len(log.items))
    found = RecentCounterparts(log.item_events, RECENTS).sums(met, cutoffs_us)
    for row, cutoff_us in enumerate(cutoffs_us.tolist()):
        events, since_us, cents = 0, 0, 0
        for code in met[row][met[row] >= 0]:
            own = (log.item == code) & (log.time_us <= cutoff_us)
            events += int((own & (log.time_us > cutoff_us - 30 * DAY)).sum())
            since_us += cutoff_us - int(log.time_us[own].max()) if own.any() else NEVER_US
            cents += int(log.value_cents[own & (log.time_us > cutoff_us - 365 * DAY)].sum())
        assert [found[name][row] for name in RECENTS] == [events, since_us, cents]
