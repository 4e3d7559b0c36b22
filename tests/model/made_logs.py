"""Random logs with what is hard in real ones: ties, absent ids, events exactly at a cutoff."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from model.events import MICROSECONDS_PER_DAY, EventLog, to_microseconds

START_US = to_microseconds(datetime(2023, 2, 1, tzinfo=UTC))
DAYS = 150
TYPES = ("cart", "purchase", "view")
TIME_ZONE = "Europe/Berlin"  # its clocks change within the log


def random_times(rng: np.random.Generator, events: int, days: int = DAYS) -> np.ndarray:
    """Microseconds: some at midnight, some at whole seconds, some at the same moment."""
    exact = rng.integers(0, days, events) * MICROSECONDS_PER_DAY
    seconds = rng.integers(0, days * 86_400, events) * 1_000_000
    between = rng.integers(0, days * MICROSECONDS_PER_DAY, events)
    kind = rng.integers(0, 4, events)
    return START_US + np.select([kind == 0, kind == 1], [exact, seconds], between)


def random_events(
    rng: np.random.Generator,
    events: int = 250,
    users: int = 6,
    items: int = 5,
    days: int = DAYS,
) -> pd.DataFrame:
    """A canonical frame, rows in any order; quantities are sometimes fractions or negative."""
    user = rng.choice([f"u{n}" for n in range(users)], events).astype(object)
    item = rng.choice([f"i{n}" for n in range(items)], events).astype(object)
    absent = rng.random(events)
    user[absent < 0.08] = None
    item[absent > 0.92] = None
    quantity = np.round(rng.normal(2, 2, events), 1)
    price = np.round(rng.gamma(2, 5, events), 2)
    quantity[rng.random(events) < 0.3] = np.nan
    price[rng.random(events) < 0.3] = np.nan
    return pd.DataFrame(
        {
            "user": user,
            "item": item,
            "time": pd.to_datetime(random_times(rng, events, days), unit="us", utc=True),
            "event_type": rng.choice(TYPES, events, p=[0.2, 0.3, 0.5]),
            "quantity": quantity,
            "price": price,
        }
    )


def random_tables(
    rng: np.random.Generator, users: int = 7, items: int = 6
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables with one user and one item more than the events have, values missing."""
    user_table = pd.DataFrame(
        {
            "user": [f"u{n}" for n in range(users)],
            "age": np.where(rng.random(users) < 0.3, np.nan, rng.integers(18, 80, users)),
            "country": ["de", "fr", None, "it", "de", "fr", "es"][:users],
        }
    )
    item_table = pd.DataFrame(
        {
            "item": [f"i{n}" for n in range(items)],
            "weight": rng.random(items),
            "colour": ["blue", "red", "red", None, "green", "blue"][:items],
        }
    )
    return user_table, item_table


def random_log(seed: int, time_zone: str = TIME_ZONE) -> EventLog:
    rng = np.random.default_rng(seed)
    events = random_events(rng)
    return EventLog.from_frames(events, *random_tables(rng), time_zone=time_zone)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Bit for bit, undefined numbers included."""
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()
