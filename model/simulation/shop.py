"""A simulated shop: its log, its tables and its truth.

>>> shop = simulate_shop(users=50, items=20, days=30)
>>> list(shop.events.columns)
['user', 'item', 'time', 'event_type', 'quantity', 'price', 'value']
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import isqrt

import pandas as pd
import pyarrow as pa

from model.simulation import tables
from model.simulation.catalogue import CATEGORIES, draw_catalogue
from model.simulation.days import draw_days
from model.simulation.log import Chronicle, chronicle
from model.simulation.people import draw_people
from model.simulation.truth import Truth
from model.simulation.world import Stream, World, generator

START_AT = datetime(2023, 1, 1, tzinfo=UTC)
PILOT_USERS = 1000


@dataclass(frozen=True)
class SimulatedShop:
    """What a simulation gives. `truth` is the part that no shop knows."""

    chronicle: Chronicle

    @property
    def events_arrow(self) -> pa.Table:
        """The log with dictionary-encoded strings: the lean form for millions of events."""
        world = self.chronicle.world
        return tables.event_table(
            self.chronicle.columns,
            tables.user_ids(world.people),
            tables.item_ids(world.catalogue),
            world.days.start_us,
        )

    @cached_property
    def events(self) -> pd.DataFrame:
        """The log, ordered by time: user, item, time, event_type, quantity, price, value."""
        return tables.decoded(self.events_arrow)

    @cached_property
    def users(self) -> pd.DataFrame:
        """The user table, with those who never came."""
        rng = generator(self.chronicle.seed, Stream.TABLES, 0)
        return tables.user_frame(self.chronicle.world.people, rng)

    @cached_property
    def items(self) -> pd.DataFrame:
        """The item table."""
        rng = generator(self.chronicle.seed, Stream.TABLES, 1)
        return tables.item_frame(self.chronicle.world.catalogue, rng)

    @cached_property
    def truth(self) -> Truth:
        """True probabilities, seasons and lifetimes."""
        return Truth(self.chronicle)


def simulate_shop(
    users: int = 2000,
    items: int = 500,
    days: int = 540,
    seed: int = 0,
    *,
    start_at: datetime = START_AT,
) -> SimulatedShop:
    """Simulate a shop; the same arguments give the same shop.

    Args:
        users: all who ever join. Some never come; the median has some tens of events a year.
        items: spread over the twelve categories.
        days: length of the log.
        seed: 0 or above.
        start_at: the first midnight of the log, UTC.

    Raises:
        ValueError: a size is too small, or `start_at` is not a midnight in UTC.
    """
    world = World(
        days=draw_days(start_at, days, generator(seed, Stream.DAYS)),
        people=draw_people(users, days, generator(seed, Stream.PEOPLE)),
        catalogue=draw_catalogue(items, days, generator(seed, Stream.CATALOGUE)),
    )
    return SimulatedShop(chronicle(world, seed))


def simulate_events(
    events: int,
    days: int = 540,
    seed: int = 0,
    *,
    items: int | None = None,
    start_at: datetime = START_AT,
) -> SimulatedShop:
    """Simulate a shop with about so many events, mostly within a tenth.

    A pilot shop tells how many events a user makes. The catalogue grows with the root of the
    events unless `items` is given.

    Raises:
        ValueError: see `simulate_shop`.
    """
    items = items or max(4 * len(CATEGORIES), isqrt(max(0, events)))
    pilot = simulate_shop(PILOT_USERS, items, days, seed, start_at=start_at)
    per_user = max(1, len(pilot.chronicle.columns)) / PILOT_USERS
    return simulate_shop(max(1, round(events / per_user)), items, days, seed, start_at=start_at)
