"""Who is still a user today, who is in the mood, and who comes to the shop, when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.simulation.days import draw_start_us
from model.simulation.state import NOTHING, State
from model.simulation.world import BoolArray, FloatArray, IntArray, UserCodes, World

CALMING_PER_DAY = 0.15
"""Chance a day to turn from active to quiet: bursts last about a week."""
QUIET_VISIT_SHARE = 0.03
ACTIVE_CHURN_SHARE = 0.3
ACTIVE_AT_JOIN = 0.6
REFILL_VISITS_PER_DAY = 0.08
"""Visits expected for the sake of something that has run out."""


@dataclass(frozen=True)
class Visits:
    """The visits of one day, ordered by row."""

    row_V: IntArray
    start_us_V: IntArray
    """Microseconds after midnight."""

    @property
    def is_first(self) -> BoolArray:
        """The first visit of its row."""
        return np.append(True, self.row_V[1:] != self.row_V[:-1])[: len(self.row_V)]


def survivors(world: World, state: State, day: int, rng: np.random.Generator) -> IntArray:
    """Rows of those who have joined and not left; some leave now, for good."""
    joined_R = world.people.join_day_U[state.user_R] <= day
    row = np.flatnonzero(joined_R & (state.left_day_R > day))
    leaves = rng.random(len(row)) < leaving_chance(world, state.user_R[row], state.active_R[row])
    state.left_day_R[row[leaves]] = day
    return row[~leaves]


def change_mood(
    world: World, state: State, live: IntArray, day: int, rng: np.random.Generator
) -> None:
    """Move the live rows between active and quiet."""
    chance = active_chance(world, state.user_R[live], state.active_R[live], day)
    state.active_R[live] = rng.random(len(live)) < chance


def draw_visits(
    world: World, state: State, live: IntArray, day: int, rng: np.random.Generator
) -> Visits:
    """Poisson visits, at hours that follow the rhythm of the day."""
    rate = visit_rate(world, state, live, state.active_R[live], day)
    row_V = np.repeat(live, rng.poisson(rate))
    return Visits(row_V=row_V, start_us_V=draw_start_us(len(row_V), rng))


def leaving_chance(world: World, user: UserCodes, active: BoolArray) -> FloatArray:
    """Chance to leave today, given yesterday's mood."""
    return world.people.churn_U[user] * np.where(active, ACTIVE_CHURN_SHARE, 1.0)


def active_chance(world: World, user: UserCodes, active: BoolArray, day: int) -> FloatArray:
    """Chance to be active today, given yesterday's mood."""
    chance = np.where(active, 1 - CALMING_PER_DAY, world.people.activation_U[user])
    return np.where(world.people.join_day_U[user] == day, ACTIVE_AT_JOIN, chance)


def visit_rate(
    world: World, state: State, row: IntArray, active: BoolArray, day: int
) -> FloatArray:
    """Visits expected today, given today's mood and what has run out."""
    rate = world.people.visits_U[state.user_R[row]] * np.where(active, 1.0, QUIET_VISIT_SHARE)
    wants_refill = has_run_out(state, row, day).any(axis=1)
    rate_today: FloatArray = (rate + REFILL_VISITS_PER_DAY * wants_refill) * (
        world.days.demand_D[day]
    )
    return rate_today


def has_run_out(state: State, row: IntArray, day: int) -> BoolArray:
    """Which refill slots (len(row), K) hold something that has run out by `day`."""
    is_out: BoolArray = (state.refill_item_RK[row] != NOTHING) & (state.refill_day_RK[row] <= day)
    return is_out
