"""Purchases that come back: decided at the purchase, carried out some days later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.simulation.days import draw_start_us
from model.simulation.process import PURCHASE, RETURN, DayEvents
from model.simulation.state import State
from model.simulation.world import World

MEAN_DELAY_DAYS = 9
WHOLE_RETURN_SHARE = 0.7
"""Share of returns that give back all units; the others give back some."""


class ReturnDesk:
    """Holds the returns to come. They do not change what users do next, so the state is whole."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: dict[int, list[DayEvents]] = {}

    def plan(self, events: DayEvents, day: int, rng: np.random.Generator) -> None:
        """Decide which of a day's purchases come back, when, and how many of their units."""
        rate = self._world.catalogue.return_rate_I[events.item]
        comes_back = (events.event_type == PURCHASE) & (rng.random(len(rate)) < rate)
        bought = events.take(np.flatnonzero(comes_back))
        part = rng.integers(1, bought.units + 1)
        whole = rng.random(len(part)) < WHOLE_RETURN_SHARE
        returns = replace(
            bought,
            event_type=np.full(len(part), RETURN),
            time_us=draw_start_us(len(part), rng),
            units=np.where(whole, bought.units, part),
        )
        on_day = day + rng.geometric(1 / MEAN_DELAY_DAYS, len(part))
        for that_day in np.unique(on_day).tolist():
            chosen = returns.take(np.flatnonzero(on_day == that_day))
            self._waiting.setdefault(that_day, []).append(chosen)

    def due(self, state: State, day: int) -> list[DayEvents]:
        """The day's returns, in parts; who has left the shop brings nothing back."""
        parts = self._waiting.pop(day, [])
        return [part.take(np.flatnonzero(state.left_day_R[part.row] > day)) for part in parts]
