from __future__ import annotations

import numpy as np
import pytest

from model.config import Config
from model.events import MICROSECONDS_PER_DAY
from model.snapshots import FoldPart, SnapshotPlan, SnapshotReader, take_snapshot
from model.snapshots.history import Rows
from model.snapshots.pairs import POPULARITY_DAYS, popularity, recent_items, sample_pairs
from model.tasks import Occurs, Task
from tests.model.made_logs import START_US, random_log

CUTOFF_US = START_US + 100 * MICROSECONDS_PER_DAY
HORIZON_DAYS = 20


def reader_of(seed: int) -> SnapshotReader:
    log = random_log(seed)
    return SnapshotReader(log, SnapshotPlan.from_log(log, [], Config(), CUTOFF_US))


def everyone(reader: SnapshotReader) -> Rows:
    return Rows(np.arange(len(reader.log.users), dtype=np.int64), CUTOFF_US)


def met(reader: SnapshotReader, after_us: int, until_us: int) -> set[tuple[int, int]]:
    log = reader.log
    both = (log.user >= 0) & (log.item >= 0) & (log.time_us > after_us) & (log.time_us <= until_us)
    return set(zip(log.user[both].tolist(), log.item[both].tolist(), strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_recent_items_are_the_last_that_each_user_met(seed: int, limit: int) -> None:
    reader = reader_of(seed)
    users, items = recent_items(reader.users, everyone(reader), limit)
    for user in range(len(reader.log.users)):
        own = np.flatnonzero((reader.log.user == user) & (reader.log.time_us <= CUTOFF_US))
        own = own[-4 * limit :]  # looks so far back and no further
        newest = [int(item) for item in reader.log.item[own[::-1]] if item >= 0]
        expected = list(dict.fromkeys(newest))[:limit]
        assert sorted(items[users == user].tolist()) == sorted(expected)


def test_popularity_counts_recent_events() -> None:
    reader = reader_of(0)
    log = reader.log
    recent = (log.time_us <= CUTOFF_US) & (
        log.time_us > CUTOFF_US - POPULARITY_DAYS * MICROSECONDS_PER_DAY
    )
    expected = np.bincount(log.item[recent & (log.item >= 0)], minlength=len(log.items))
    assert popularity(reader.items, CUTOFF_US).tolist() == expected.tolist()


def sample(reader: SnapshotReader, seed: int, negatives: int = 2) -> dict[tuple[int, int], float]:
    """Each sampled pair and the sum of its weights."""
    rows = sample_pairs(
        reader.users,
        reader.items,
        everyone(reader),
        HORIZON_DAYS,
        history_limit=2,
        negatives=negatives,
        rng=np.random.default_rng(seed),
    )
    totals: dict[tuple[int, int], float] = {}
    for user, item, weight in zip(rows.users, rows.items, rows.weights, strict=True):
        key = (int(user), int(item))
        totals[key] = totals.get(key, 0.0) + float(weight)
    return totals


@pytest.mark.parametrize("seed", range(3))
def test_every_pair_that_meets_within_the_horizon_is_kept_and_counts_once(seed: int) -> None:
    reader = reader_of(seed)
    ahead = met(reader, CUTOFF_US, CUTOFF_US + HORIZON_DAYS * MICROSECONDS_PER_DAY)
    found = sample(reader, seed)
    assert ahead
    assert {found[pair] for pair in ahead} == {1.0}


@pytest.mark.parametrize("seed", range(3))
def test_the_weights_stand_for_the_whole_population(seed: int) -> None:
    """On average every pair of the population weighs one, whatever its popularity."""
    reader = reader_of(seed)
    sold = np.flatnonzero(popularity(reader.items, CUTOFF_US) > 0).tolist()
    users, items = recent_items(reader.users, everyone(reader), 2)
    certain = set(zip(users.tolist(), items.tolist(), strict=True)) | met(
        reader, CUTOFF_US, CUTOFF_US + HORIZON_DAYS * MICROSECONDS_PER_DAY
    )
    population = certain | {(user, item) for user in range(len(reader.log.users)) for item in sold}
    draws = 600
    mean: dict[tuple[int, int], float] = dict.fromkeys(population, 0.0)
    for draw in range(draws):
        for pair, weight in sample(reader, draw).items():
            mean[pair] += weight / draws
    weights = np.array(list(mean.values()))
    assert weights.sum() == pytest.approx(len(population), rel=0.03)
    # A draw's deviation is below sqrt(5 / 2), the largest weight being 1 / (2 * 0.2 / items).
    assert np.abs(weights - 1).max() < 5 * np.sqrt(2.5 / draws)


def test_no_item_sold_lately_leaves_what_was_met() -> None:
    log = random_log(0)
    late = log.last_us // 1_000_000 * 1_000_000 + 200 * MICROSECONDS_PER_DAY
    reader = SnapshotReader(log, SnapshotPlan.from_log(log, [], Config(), CUTOFF_US))
    users = Rows(np.arange(len(log.users), dtype=np.int64), late)
    rows = sample_pairs(
        reader.users,
        reader.items,
        users,
        HORIZON_DAYS,
        history_limit=2,
        negatives=2,
        rng=np.random.default_rng(0),
    )
    assert set(rows.weights.tolist()) == {1.0}
    assert set(zip(rows.users.tolist(), rows.items.tolist(), strict=True)) <= met(reader, 0, late)


def test_the_weighted_rate_of_the_sample_is_the_true_rate() -> None:
    """So that a likelihood of the sampled pairs makes probabilities that hold for all pairs."""
    reader = reader_of(0)
    task = Task(
        name="views", entity="pair", target=Occurs(event_type="view"), horizon_days=HORIZON_DAYS
    )
    part = FoldPart((CUTOFF_US,), CUTOFF_US + HORIZON_DAYS * MICROSECONDS_PER_DAY)
    config = Config(pair_history=2, pair_negatives=2)
    happened, weight = [], []
    for draw in range(300):
        rng = np.random.default_rng(draw)
        snapshot = take_snapshot(reader, "pair", [task], part, config, rng)
        assert snapshot is not None
        happened.append(float((snapshot.labels["views"] * snapshot.weights).sum()))  # type: ignore[operator]
        weight.append(float(snapshot.weights.sum()))
    users = reader.active("user", CUTOFF_US, config.lookback_days)
    sold = np.flatnonzero(popularity(reader.items, CUTOFF_US) > 0)
    log = reader.log
    ahead = (log.time_us > CUTOFF_US) & (log.time_us <= part.label_end_us) & log.is_type("view")
    viewed = set(zip(log.user[ahead].tolist(), log.item[ahead].tolist(), strict=True))
    every = [(int(user), int(item)) for user in users for item in sold]
    assert np.ptp(happened) == 0, "what happens is always in the sample, once"
    assert happened[0] == sum(pair in viewed for pair in every)
    assert np.mean(weight) == pytest.approx(len(every), rel=0.03)
