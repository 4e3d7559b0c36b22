"""Which pairs of user and item become rows: what the user met before, and sampled others.

There are far too many pairs to look at all of them. All pairs with a future event are kept; of the
rest a few are drawn with replacement and known probabilities, and weigh as many as they stand for
(Hansen and Hurwitz, Annals of Mathematical Statistics 14, 1943), so that the weighted likelihood is
that of all pairs and the probabilities come out on the true scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.snapshots.history import History, Rows

POPULARITY_DAYS = 90
UNIFORM_SHARE = 0.2
"""Share of the sampling that is blind to popularity: it bounds the weights."""


@dataclass(frozen=True)
class PairRows:
    """Pairs at one cutoff; `weights` is how many pairs of the population each stands for."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    weights: NDArray[np.float32]


def recent_items(
    history: History, users: Rows, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct items among each user's last events: (users repeated, items)."""
    ends = history.end(users)
    slots = ends[:, None] + np.arange(-4 * limit, 0)
    there = slots >= history.index.offsets[users.entities][:, None]
    owner = np.broadcast_to(users.entities[:, None], slots.shape)[there]
    slots = slots[there]
    item = history.counterparts(slots)
    owner, item, slots = owner[item >= 0], item[item >= 0], slots[item >= 0]
    # Newest first within a user, so that the first meeting in this order is the last in time.
    order = np.lexsort((-slots, owner))
    packed = (owner[order].astype(np.int64) << 32) | item[order]
    _, first = np.unique(packed, return_index=True)
    first.sort()
    kept = packed[first]
    owner = kept >> 32
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1])) if len(owner) else owner
    rank = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner))))
    chosen = rank < limit
    return owner[chosen], (kept & 0xFFFFFFFF)[chosen]


def popularity(items: History, cutoff_us: int) -> NDArray[np.float64]:
    """(items,) events of each item in the last days before the cutoff."""
    rows = Rows(np.arange(len(items.index), dtype=np.int64), cutoff_us)
    return (items.end(rows) - items.start(rows, POPULARITY_DAYS)).astype(np.float64)


def sample_pairs(
    users_history: History,
    items_history: History,
    users: Rows,
    horizon_days: float,
    *,
    history_limit: int,
    negatives: int,
    rng: np.random.Generator,
) -> PairRows:
    """The rows of one cutoff: met before, met within the horizon, and sampled others.

    The population of a user is every item sold in the last days, what the user met recently, and
    what it meets within the horizon.
    """
    met_users, met_items = recent_items(users_history, users, history_limit)
    next_users, next_items = _met_ahead(users_history, users, horizon_days)
    certain = np.unique(
        np.concatenate([met_users << 32 | met_items, next_users << 32 | next_items])
    )
    popular = popularity(items_history, users.cutoff_us)
    sold = np.flatnonzero(popular > 0)
    if not len(sold):
        return _pair_rows(certain, np.ones(len(certain)))
    chance = popular[sold] ** 0.75
    chance = (1 - UNIFORM_SHARE) * chance / chance.sum() + UNIFORM_SHARE / len(sold)
    drawn = rng.choice(len(sold), size=(len(users), negatives), p=chance)
    packed = (users.entities[:, None] << 32 | sold[drawn]).ravel()
    weights = (1 / (negatives * chance))[drawn].ravel()
    other = ~np.isin(packed, certain)
    return _pair_rows(
        np.concatenate([certain, packed[other]]),
        np.concatenate([np.ones(len(certain)), weights[other]]),
    )


def _pair_rows(packed: NDArray[np.int64], weights: NDArray[np.float64]) -> PairRows:
    return PairRows(packed >> 32, packed & 0xFFFFFFFF, weights.astype(np.float32))


def _met_ahead(
    history: History, users: Rows, days: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The (user, item) pairs with an event within the horizon."""
    start, end = history.end(users), history.end(users, days)
    counts = end - start
    owner = np.repeat(users.entities, counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    slots = np.repeat(start, counts) + offset
    item = history.counterparts(slots)
    return owner[item >= 0], item[item >= 0]
