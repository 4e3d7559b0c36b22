"""What of a user's past matters for the future: the state of the Markov process.

The state at a midnight and the world's parameters determine the distribution of all that
follows. A state has one row per simulated user; in rollouts a user has many rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

REFILL_SLOTS = 3
NOTHING = -1
"""Stands for no item in a slot or cart."""
FOREVER = np.iinfo(np.int32).max
"""The day on which those leave who have not left."""


@dataclass
class State:
    """The users at the start of a day; `step` carries it over to the next."""

    user_R: npt.NDArray[np.int32]
    """Which user of the world a row simulates."""
    left_day_R: npt.NDArray[np.int32]
    """From this day on the user is gone."""
    active_R: npt.NDArray[np.bool_]
    """Active users come often, quiet ones seldom."""
    refill_item_RK: npt.NDArray[np.int32]
    """Consumables the user has at home, or NOTHING."""
    refill_day_RK: npt.NDArray[np.int32]
    """When they will have run out."""
    cart_item_R: npt.NDArray[np.int32]
    """What lies in the cart, not bought yet, or NOTHING."""
    cart_day_R: npt.NDArray[np.int32]
    """When it was put there."""

    @classmethod
    def initial(cls, users: int) -> State:
        """Nobody has done anything yet."""
        return cls(
            user_R=np.arange(users, dtype=np.int32),
            left_day_R=np.full(users, FOREVER, np.int32),
            active_R=np.zeros(users, np.bool_),
            refill_item_RK=np.full((users, REFILL_SLOTS), NOTHING, np.int32),
            refill_day_RK=np.zeros((users, REFILL_SLOTS), np.int32),
            cart_item_R=np.full(users, NOTHING, np.int32),
            cart_day_R=np.zeros(users, np.int32),
        )

    def take(self, rows: npt.NDArray[np.int64]) -> State:
        """A new state of these rows, in this order; rows may repeat."""
        return State(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def copy(self) -> State:
        """The same state, for a future of its own."""
        return self.take(np.arange(len(self.user_R)))
