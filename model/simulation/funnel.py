"""From views to carts to purchases, and what of it the users remember."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.simulation.browsing import Reason, Views
from model.simulation.state import NOTHING, State
from model.simulation.world import BoolArray, FloatArray, IntArray, Shelf, World

CART_LOG_ODDS = -2.5
BUY_LOG_ODDS = -0.8
BUY_FROM_CART_LOG_ODDS = -0.4
REFILL_CART_LOG_ODDS = 1.7
REFILL_BUY_LOG_ODDS = 2.0
DISCOUNT_TO_CART = 3.0
DISCOUNT_TO_BUY = 2.0
"""Change of the log odds per unit of discount."""
FORGET_REFILL_DAYS = 60
FORGET_CART_DAYS = 10
REPLACE_REFILL = 0.5
"""Chance that a new consumable takes the place of another when all slots are full."""


@dataclass(frozen=True)
class Outcomes:
    """How each view of a day ended."""

    carted_N: BoolArray
    bought_N: BoolArray
    units_N: IntArray
    """Units put into the cart and bought, where either happened."""


def draw_outcomes(
    world: World, shelf: Shelf, state: State, views: Views, rng: np.random.Generator
) -> Outcomes:
    """Which views lead to a cart and a purchase; what waits in the cart is bought from there."""
    discount_N = shelf.discount_C[world.catalogue.category_I[views.item_N]]
    buying_N = world.people.buying_U[state.user_R[views.row_N]]
    refill_N = views.reason_N == Reason.REFILL
    in_cart_N = views.reason_N == Reason.CART

    to_cart_N = buying_N + world.catalogue.appeal_I[views.item_N] + DISCOUNT_TO_CART * discount_N
    to_cart_N += np.where(refill_N, REFILL_CART_LOG_ODDS, CART_LOG_ODDS)
    to_buy_N = 0.5 * buying_N + DISCOUNT_TO_BUY * discount_N
    to_buy_N += np.array([BUY_LOG_ODDS, REFILL_BUY_LOG_ODDS, BUY_FROM_CART_LOG_ODDS])[
        views.reason_N
    ]
    carted_N = (rng.random(len(refill_N)) < _sigmoid(to_cart_N)) & ~in_cart_N
    bought_N = (rng.random(len(refill_N)) < _sigmoid(to_buy_N)) & (carted_N | in_cart_N)
    consumable_N = ~np.isnan(world.catalogue.refill_days_I[views.item_N])
    units_N = 1 + rng.poisson(np.where(consumable_N, 0.8, 0.1))
    return Outcomes(carted_N=carted_N, bought_N=bought_N, units_N=units_N)


def remember(
    world: World,
    state: State,
    views: Views,
    outcomes: Outcomes,
    day: int,
    rng: np.random.Generator,
) -> None:
    """Carry carts and purchases into the state; of several of a user the last counts.

    What has waited too long is forgotten.
    """
    taken_out = outcomes.bought_N & (views.reason_N == Reason.CART)
    state.cart_item_R[views.row_N[taken_out]] = NOTHING
    left_in = outcomes.carted_N & ~outcomes.bought_N
    state.cart_item_R[views.row_N[left_in]] = views.item_N[left_in]
    state.cart_day_R[views.row_N[left_in]] = day

    refill_days_N = world.catalogue.refill_days_I[views.item_N]
    stocked = np.flatnonzero(outcomes.bought_N & ~np.isnan(refill_days_N))
    row, item = views.row_N[stocked], views.item_N[stocked]
    slot = _refill_slot(state, row, item, rng)
    lasts = refill_days_N[stocked] * outcomes.units_N[stocked] ** 0.8
    lasts = lasts * np.exp(rng.normal(0, 0.15, len(stocked)))
    kept = slot != NOTHING
    state.refill_item_RK[row[kept], slot[kept]] = item[kept]
    state.refill_day_RK[row[kept], slot[kept]] = day + np.ceil(lasts[kept]).astype(np.int32)
    state.refill_item_RK[state.refill_day_RK + FORGET_REFILL_DAYS <= day] = NOTHING
    state.cart_item_R[state.cart_day_R + FORGET_CART_DAYS <= day] = NOTHING


def _refill_slot(state: State, row: IntArray, item: IntArray, rng: np.random.Generator) -> IntArray:
    """The slot that holds the item already, else an empty one, else by chance any or none."""
    held = state.refill_item_RK[row]
    same, empty = held == item[:, None], held == NOTHING
    any_slot = rng.integers(0, held.shape[1], len(row))
    replaces = rng.random(len(row)) < REPLACE_REFILL
    slot = np.where(replaces, any_slot, NOTHING)
    slot = np.where(empty.any(axis=1), empty.argmax(axis=1), slot)
    return np.where(same.any(axis=1), same.argmax(axis=1), slot)


def _sigmoid(log_odds: FloatArray) -> FloatArray:
    probability: FloatArray = 1 / (1 + np.exp(-log_odds))
    return probability
