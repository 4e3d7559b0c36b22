"""One day of the shop: the single step that writes the log and plays futures.

The shop is a Markov process in days. `step` reads the world, the state at a midnight and the
day's random numbers; it returns the day's events and carries the state to the next midnight.
Users do not act on each other, so any choice of rows may be stepped alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from model.simulation.browsing import Views, draw_views
from model.simulation.funnel import Outcomes, draw_outcomes, remember
from model.simulation.state import State
from model.simulation.visits import Visits, change_mood, draw_visits, survivors
from model.simulation.world import FloatArray, IntArray, Shelf, World, shelf_of

EVENT_TYPES = ("view", "cart", "purchase", "return")
VIEW, CART, PURCHASE, RETURN = range(4)
NO_UNITS = 0
"""Units of an event that has no quantity: a view."""


@dataclass(frozen=True)
class DayEvents:
    """Events of one day, in no order (N,)."""

    row: IntArray
    item: IntArray
    event_type: IntArray
    time_us: IntArray
    """Microseconds after midnight."""
    units: IntArray
    price: FloatArray
    """Of one unit, the day's price cut taken off."""

    def take(self, chosen: IntArray) -> DayEvents:
        """These events, in this order."""
        return DayEvents(
            **{field.name: getattr(self, field.name)[chosen] for field in fields(self)}
        )


class Played(NamedTuple):
    """What happened on one day."""

    visits: Visits
    events: DayEvents


def step(world: World, state: State, day: int, rng: np.random.Generator) -> Played:
    """Play one day: `state` moves from its start to its end. Returns follow elsewhere."""
    shelf = shelf_of(world, day)
    live = survivors(world, state, day, rng)
    change_mood(world, state, live, day, rng)
    visits = draw_visits(world, state, live, day, rng)
    views = draw_views(world, shelf, state, visits, day, rng)
    outcomes = draw_outcomes(world, shelf, state, views, rng)
    remember(world, state, views, outcomes, day, rng)
    return Played(visits, _as_events(world, shelf, views, outcomes, rng))


def _as_events(
    world: World, shelf: Shelf, views: Views, outcomes: Outcomes, rng: np.random.Generator
) -> DayEvents:
    """A view, then within a minute its cart, then within ten its purchase."""
    carted, bought = np.flatnonzero(outcomes.carted_N), np.flatnonzero(outcomes.bought_N)
    cart_us_N = views.time_us_N + rng.integers(1_000_000, 60_000_000, len(views.row_N))
    buy_us_N = cart_us_N + rng.integers(1_000_000, 600_000_000, len(views.row_N))
    source = np.concatenate([np.arange(len(views.row_N)), carted, bought])
    item = views.item_N[source]
    list_price = world.catalogue.list_price_I[item]
    return DayEvents(
        row=views.row_N[source],
        item=item,
        event_type=np.repeat([VIEW, CART, PURCHASE], [len(views.row_N), len(carted), len(bought)]),
        time_us=np.concatenate([views.time_us_N, cart_us_N[carted], buy_us_N[bought]]),
        units=np.concatenate(
            [
                np.full(len(views.row_N), NO_UNITS),
                outcomes.units_N[carted],
                outcomes.units_N[bought],
            ]
        ),
        price=np.round(list_price * (1 - shelf.discount_C[world.catalogue.category_I[item]]), 2),
    )
