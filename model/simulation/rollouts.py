"""Futures of a shop, played by the step that wrote its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from model.simulation.belief import draw_moods
from model.simulation.days import DAY_US
from model.simulation.process import step
from model.simulation.state import State
from model.simulation.world import FloatArray, IntArray, Stream, World, generator
from model.tasks import PERIODS, EntityKind, PeriodName

CHUNK_ROWS = 200_000
"""How many users are stepped together: bounds the memory, at most some 100 MB."""


@dataclass(frozen=True)
class Window:
    """Events of one type with `after_us < t <= until_us`, in microseconds from the log's start."""

    event_type: int
    after_us: int
    until_us: int

    @property
    def first_day(self) -> int:
        """The day that holds the cutoff; futures start at its midnight."""
        return self.after_us // DAY_US

    @property
    def end_day(self) -> int:
        """The first day after the window."""
        return -(-self.until_us // DAY_US)


@dataclass(frozen=True)
class Outlook:
    """Where futures start and what is looked for in them."""

    world: World
    state: State
    """At the midnight of the window's first day."""
    belief_UM: FloatArray | None
    """Chances of the moods, to draw from; None: the moods are those of the state."""
    window: Window


@dataclass(frozen=True)
class Hits:
    """Events of a window in some rollouts (N,)."""

    rollout: IntArray
    user: IntArray
    item: IntArray
    time_us: IntArray
    units: IntArray


def play(outlook: Outlook, rollouts: int, seed: int) -> Iterator[Hits]:
    """The window's events, a day and a chunk of rollouts at a time."""
    window, rows = outlook.window, len(outlook.state.user_R)
    at_once = max(1, CHUNK_ROWS // max(1, rows))
    for first in range(0, rollouts, at_once):
        future = outlook.state.take(np.tile(np.arange(rows), min(at_once, rollouts - first)))
        if outlook.belief_UM is not None:
            rng = generator(seed, Stream.BELIEFS, first)
            draw_moods(future, outlook.belief_UM, window.first_day, rng)
        for day in range(window.first_day, window.end_day):
            rng = generator(seed, Stream.ROLLOUTS, first, day)
            events = step(outlook.world, future, day, rng).events
            time_us = events.time_us + day * DAY_US
            within = (time_us > window.after_us) & (time_us <= window.until_us)
            hit = np.flatnonzero(within & (events.event_type == window.event_type))
            yield Hits(
                rollout=first + events.row[hit] // rows,
                user=future.user_R[events.row[hit]].astype(np.int64),
                item=events.item[hit],
                time_us=time_us[hit],
                units=events.units[hit],
            )


def occurrences(
    outlook: Outlook, entity: EntityKind, rollouts: int, seed: int
) -> tuple[IntArray, FloatArray]:
    """In which share of the rollouts an entity has at least one event in the window.

    Returns:
        Entity codes, ascending, of those with any event, and their shares. The code of a pair
        is `user * items + item`.
    """
    items = outlook.world.catalogue.size
    size = outlook.world.people.size * items
    seen = [np.empty(0, np.int64)]
    for hits in play(outlook, rollouts, seed):
        code = {"user": hits.user, "item": hits.item, "pair": hits.user * items + hits.item}[entity]
        seen.append(np.unique(hits.rollout * size + code))
    code, count = np.unique(np.unique(np.concatenate(seen)) % size, return_counts=True)
    return code, count / rollouts


def peak_shares(outlook: Outlook, period: PeriodName, rollouts: int, seed: int) -> FloatArray:
    """How often each period (I, P) is the one in which an item sells most units.

    Periods that tie share a rollout evenly; a rollout without a sale does not count, and an
    item without any sale gets NaN.
    """
    units = np.zeros((rollouts, outlook.world.catalogue.size, PERIODS[period]))
    for hits in play(outlook, rollouts, seed):
        place = _period_index(outlook.world.days.start_at, hits.time_us, period)
        np.add.at(units, (hits.rollout, hits.item, place), hits.units)
    most = units.max(axis=2, keepdims=True)
    is_best = (units == most) & (most > 0)
    share = is_best / np.maximum(1, is_best.sum(axis=2, keepdims=True))
    total: FloatArray = share.sum(axis=0)
    sold = total.sum(axis=1, keepdims=True)
    return np.where(sold > 0, total / np.maximum(sold, 1), np.nan)


def _period_index(start_at: datetime, time_us: IntArray, period: PeriodName) -> IntArray:
    """Which period of its cycle each time falls into, from 0."""
    time = pd.Series(pd.Timestamp(start_at) + pd.to_timedelta(time_us, unit="us")).dt
    if period == "iso_week":
        return np.asarray(time.isocalendar()["week"], np.int64) - 1
    if period == "month_of_year":
        return np.asarray(time.month, np.int64) - 1
    return np.asarray(time.day_of_week if period == "weekday" else time.hour, np.int64)
