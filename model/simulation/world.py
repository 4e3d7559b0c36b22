"""What never changes while a simulated shop runs: its people, its catalogue and its days.

Shapes in this package: U = users, I = items, C = categories, D = days, R = rows of a state,
K = refill slots, V = visits of a day, N = views of a day.

Every random draw comes from a generator that is named by the seed, a stream and, inside the
process, the day. So one day can be played again alone, without the days before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from model.simulation.catalogue import Catalogue
from model.simulation.days import Days
from model.simulation.people import People

PROMOTION_PULL = 4.0
"""How much a price cut adds to a category's looks, relative, per unit of discount."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
UserCodes = npt.NDArray[np.int32]


class Stream(IntEnum):
    """What a random generator is for."""

    PEOPLE = 1
    CATALOGUE = 2
    DAYS = 3
    PROCESS = 4
    RETURNS = 5
    TABLES = 6
    ROLLOUTS = 7
    BELIEFS = 8


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """The generator of one stream; `key` tells its parts apart, such as the day."""
    return np.random.default_rng([seed, int(stream), *key])


@dataclass(frozen=True)
class World:
    """The latent truth of a shop, fixed before its first day."""

    people: People
    catalogue: Catalogue
    days: Days


@dataclass(frozen=True)
class Shelf:
    """What the shop shows on one day: how strongly each category and item draws."""

    category_pull_C: FloatArray
    item_cumulative_I: FloatArray
    discount_C: FloatArray


def shelf_of(world: World, day: int) -> Shelf:
    """Seasons, launches and promotions of one day, as weights to draw categories and items by."""
    weight_I = world.catalogue.weight(day, world.days.day_of_year_D[day])
    first_C = world.catalogue.first_item_C
    discount_C = world.days.discount_DC[day]
    demand_C = np.add.reduceat(weight_I, first_C) / world.catalogue.popularity_C
    return Shelf(
        category_pull_C=demand_C * (1 + PROMOTION_PULL * discount_C),
        item_cumulative_I=np.cumsum(weight_I),
        discount_C=discount_C,
    )
