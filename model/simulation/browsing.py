"""What visitors look at: things that catch their eye, have run out, or wait in the cart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from model.simulation.state import NOTHING, State
from model.simulation.visits import Visits, has_run_out
from model.simulation.world import FloatArray, IntArray, Shelf, UserCodes, World

MEAN_VIEWS = 3.0
MOST_VIEWS = 20
VIEW_US = 45_000_000
"""Time between the views of a visit, at most twice that."""
STAY_IN_CATEGORY = 0.7
"""Chance that a view stays in the category that the visit began with."""
LOOK_FOR_REFILL = 0.75
LOOK_AT_CART = 0.4


class Reason(IntEnum):
    """Why an item is looked at."""

    INTEREST = 0
    REFILL = 1
    CART = 2


@dataclass(frozen=True)
class Views:
    """The views of one day."""

    row_N: IntArray
    item_N: IntArray
    time_us_N: IntArray
    reason_N: IntArray


def draw_views(
    world: World, shelf: Shelf, state: State, visits: Visits, day: int, rng: np.random.Generator
) -> Views:
    """All views of the visits; those with a purpose come at the first visit of the day."""
    parts = [
        _of_interest(world, shelf, state, visits, rng),
        _of_refills(state, visits, day, rng),
        _of_carts(state, visits, rng),
    ]
    row, item, time_us = (np.concatenate(column) for column in zip(*parts, strict=True))
    reason = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    return Views(row_N=row, item_N=item, time_us_N=time_us, reason_N=reason)


_Part = tuple[IntArray, IntArray, IntArray]  # row, item, time_us


def _of_interest(
    world: World, shelf: Shelf, state: State, visits: Visits, rng: np.random.Generator
) -> _Part:
    size_V = np.minimum(rng.geometric(1 / MEAN_VIEWS, len(visits.row_V)), MOST_VIEWS)
    visit_N = np.repeat(np.arange(len(size_V)), size_V)
    place_N = np.arange(len(visit_N)) - (np.cumsum(size_V) - size_V)[visit_N]
    row_N = visits.row_V[visit_N]

    main_category_V = _draw_categories(world, shelf, state.user_R[visits.row_V], rng)
    other_category_N = _draw_categories(world, shelf, state.user_R[row_N], rng)
    stays_N = rng.random(len(row_N)) < STAY_IN_CATEGORY
    category_N = np.where(stays_N, main_category_V[visit_N], other_category_N)

    time_us_N = visits.start_us_V[visit_N] + _after(place_N, rng)
    return row_N, _draw_items(world, shelf, category_N, rng), time_us_N


def _of_refills(state: State, visits: Visits, day: int, rng: np.random.Generator) -> _Part:
    row, start_us = _first_visits(visits)
    is_out = has_run_out(state, row, day)
    visit, slot = np.nonzero(is_out & (rng.random(is_out.shape) < LOOK_FOR_REFILL))
    item = state.refill_item_RK[row[visit], slot].astype(np.int64)
    return row[visit], item, start_us[visit] + _after(slot, rng)


def _of_carts(state: State, visits: Visits, rng: np.random.Generator) -> _Part:
    row, start_us = _first_visits(visits)
    looks = rng.random(len(row)) < LOOK_AT_CART
    visit = np.flatnonzero((state.cart_item_R[row] != NOTHING) & looks)
    item = state.cart_item_R[row[visit]].astype(np.int64)
    return row[visit], item, start_us[visit] + _after(np.zeros_like(visit), rng)


def _first_visits(visits: Visits) -> tuple[IntArray, IntArray]:
    first = visits.is_first
    return visits.row_V[first], visits.start_us_V[first]


def _after(place: IntArray, rng: np.random.Generator) -> IntArray:
    """Microseconds from the start of a visit to its view number `place`."""
    return ((place + rng.random(len(place))) * VIEW_US).astype(np.int64)


def _draw_categories(
    world: World, shelf: Shelf, user_N: UserCodes, rng: np.random.Generator
) -> IntArray:
    """By the user's affinity, today's season and today's promotions."""
    weight_NC = world.people.affinity_UC[user_N] * shelf.category_pull_C
    cumulative_NC: FloatArray = np.cumsum(weight_NC, axis=1)
    point_N = rng.random(len(user_N)) * cumulative_NC[:, -1]
    category_N: IntArray = (cumulative_NC[:, :-1] <= point_N[:, None]).sum(axis=1)
    return category_N


def _draw_items(
    world: World, shelf: Shelf, category_N: IntArray, rng: np.random.Generator
) -> IntArray:
    """By popularity and season within the category."""
    cumulative_I = shelf.item_cumulative_I
    last_item_C = np.append(world.catalogue.first_item_C[1:], world.catalogue.size) - 1
    high_C = cumulative_I[last_item_C]
    low_C = np.append(0.0, high_C[:-1])
    point_N = low_C[category_N] + rng.random(len(category_N)) * (high_C - low_C)[category_N]
    found_N = np.searchsorted(cumulative_I, point_N, side="right")
    item_N: IntArray = np.minimum(found_N, last_item_C[category_N])
    return item_N
