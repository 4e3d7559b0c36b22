"""Which items are worth ranking for a user: those met recently, and the popular ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.snapshots import SnapshotReader
from model.snapshots.history import Rows
from model.snapshots.pairs import popularity, recent_items

RECENT_ITEMS = 20
POPULAR_ITEMS = 20


def candidate_pairs(
    reader: SnapshotReader, users: NDArray[np.int64], cutoff_us: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The (users, items) codes of these users' candidates, each pair once, user by user."""
    met_users, met_items = recent_items(reader.users, Rows(users, cutoff_us), RECENT_ITEMS)
    top = popular_items(reader, cutoff_us)
    packed = np.unique(
        np.concatenate([met_users << 32 | met_items, (users[:, None] << 32 | top).ravel()])
    )
    return packed >> 32, packed & 0xFFFFFFFF


def popular_items(reader: SnapshotReader, cutoff_us: int) -> NDArray[np.int64]:
    """Codes of the items that had most events in the days before a cutoff."""
    popular = popularity(reader.items, cutoff_us)
    top = np.argsort(-popular, kind="stable")[:POPULAR_ITEMS]
    return top[popular[top] > 0]
