"""Tables of users, items and what they thought of each other, without times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from model.events import EventLog


def rated(
    seed: int = 0, events: int = 600, users: int = 40, items: int = 25
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings around a taste of the user and a quality of the item, and a table of the items.

    `opinion` is good where the rating is high; some cells are empty.
    """
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, users, events), rng.integers(0, items, events)
    taste, quality = rng.normal(0, 0.6, users), rng.normal(0, 0.8, items)
    rating = 3 + taste[user] + quality[item] + rng.normal(0, 0.4, events)
    opinion = np.where(rating > 3.3, "good", np.where(rating < 2.7, "bad", "fair"))
    frame = pd.DataFrame(
        {
            "user": [f"u{n}" for n in user],
            "item": [f"i{n}" for n in item],
            "event_type": "interaction",
            "rating": np.where(rng.random(events) < 0.05, np.nan, rating),
            "opinion": np.where(rng.random(events) < 0.05, None, opinion),
        }
    )
    table = pd.DataFrame(
        {"item": [f"i{n}" for n in range(items)], "kind": ["a", "b", "c", "d", "e"] * (items // 5)}
    )
    return frame, table


def rated_log(seed: int = 0, **sizes: int) -> EventLog:
    frame, items = rated(seed, **sizes)
    return EventLog.from_frames(frame, items=items)
