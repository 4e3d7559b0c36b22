"""Random logs whose users, items and events have attributes, some of them missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from model.events import EventLog
from model.tasks import Task
from tests.model.made_logs import TIME_ZONE, random_events, random_tables
from tests.model.snapshots.oracle import Oracle, fulfils

CHANNELS = ("app", "other", "web")


def described(seed: int, events: int = 250) -> tuple[EventLog, Oracle]:
    """A log and an oracle of it, with `user.group`, `item.category`, `event.rating`, `.channel`."""
    rng = np.random.default_rng(seed)
    frame, (users, items) = random_events(rng, events), random_tables(rng)
    frame["rating"] = np.where(
        rng.random(events) < 0.3, np.nan, rng.integers(1, 6, events).astype(float)
    )
    frame["channel"] = rng.choice([*CHANNELS, None], events, p=[0.5, 0.2, 0.2, 0.1])
    users["group"] = rng.choice(["a", "b", None], len(users))
    items["category"] = rng.choice(["shoes", "hats", None], len(items), p=[0.5, 0.3, 0.2])
    log = EventLog.from_frames(frame, users, items, time_zone=TIME_ZONE)
    # The oracle takes events of one moment as they stand: in the order of what they are.
    amounts = frame.assign(quantity=frame["quantity"].fillna(1), price=frame["price"].fillna(-1))
    keys = ["time", "user", "item", "event_type", "quantity", "price"]
    ordered = frame.loc[amounts.sort_values(keys, na_position="first", kind="stable").index]
    return log, Oracle(ordered, {"user": users, "item": items}, TIME_ZONE)


def can_be_asked(oracle: Oracle, task: Task, key: dict[str, str], cutoff: pd.Timestamp) -> bool:
    """Whether the rules of the past and the conditions on the row's own attributes hold."""
    for condition in task.target.where:
        owner, _, column = condition.attribute.partition(".")
        if owner in key:
            table = oracle.tables[owner]
            (value,) = table.loc[table[owner] == key[owner], column]
            known = None if pd.isna(value) else value
            if not fulfils(known, condition.op, condition.value):
                return False
    return oracle.is_eligible(task, key, cutoff)
