"""What the log tells of a user's hidden mood: the filter of a hidden Markov model.

Whether a user is quiet, active or gone cannot be seen; the visits can. Given the true
parameters, the forward algorithm (Rabiner 1989, section III.A) turns the visits of all days
so far into the probability of each mood. The rest of the state follows from the log, but for
the exact day on which a refill runs out.
"""

from __future__ import annotations

import numpy as np

from model.simulation.days import DAY_US
from model.simulation.log import Chronicle
from model.simulation.process import RETURN, step
from model.simulation.state import FOREVER, State
from model.simulation.visits import active_chance, leaving_chance, visit_rate
from model.simulation.world import FloatArray, IntArray, Stream, World, generator

QUIET, ACTIVE, GONE = range(3)


def belief_before(chronicle: Chronicle, day: int) -> FloatArray:
    """The probability of each mood (U, 3) at the start of a day, given the log before it.

    A return shows that its user is not gone; that a return did not come is not used.
    """
    world, columns = chronicle.world, chronicle.columns
    returned = columns.event_type == RETURN
    return_day, return_user = columns.time_us[returned] // DAY_US, columns.user[returned]

    U = world.people.size
    state = State.initial(U)
    belief_UM = np.tile([1.0, 0.0, 0.0], (U, 1))
    for past_day in range(day):
        rate_UM = _rates(world, state, past_day)
        played = step(world, state, past_day, generator(chronicle.seed, Stream.PROCESS, past_day))
        visits_U = np.bincount(played.visits.row_V, minlength=U)
        belief_UM = _moved(world, belief_UM, past_day)
        belief_UM *= _likelihood(visits_U, rate_UM)
        belief_UM[return_user[return_day == past_day], GONE] = 0.0
        belief_UM /= belief_UM.sum(axis=1, keepdims=True)
    return belief_UM


def draw_moods(state: State, belief_UM: FloatArray, day: int, rng: np.random.Generator) -> None:
    """Replace the true moods of a state by moods drawn from the belief."""
    cumulative_RM = np.cumsum(belief_UM[state.user_R], axis=1)
    mood_R = (rng.random((len(cumulative_RM), 1)) >= cumulative_RM[:, :GONE]).sum(axis=1)
    state.active_R = mood_R == ACTIVE
    state.left_day_R = np.where(mood_R == GONE, day, FOREVER).astype(np.int32)


def _moved(world: World, belief_UM: FloatArray, day: int) -> FloatArray:
    """The belief after a day's partings and changes of mood, before its visits."""
    user = np.arange(world.people.size, dtype=np.int32)
    joined = world.people.join_day_U <= day
    moved_UM = np.zeros_like(belief_UM)
    moved_UM[:, GONE] = belief_UM[:, GONE]
    for mood in (QUIET, ACTIVE):
        was_active = np.full(len(user), mood == ACTIVE)
        leaves = leaving_chance(world, user, was_active)
        active = active_chance(world, user, was_active, day)
        moved_UM[:, GONE] += belief_UM[:, mood] * leaves
        moved_UM[:, ACTIVE] += belief_UM[:, mood] * (1 - leaves) * active
        moved_UM[:, QUIET] += belief_UM[:, mood] * (1 - leaves) * (1 - active)
    return np.where(joined[:, None], moved_UM, belief_UM)


def _rates(world: World, state: State, day: int) -> FloatArray:
    """Visits expected of each user in each mood (U, 3)."""
    row = np.arange(world.people.size)
    quiet, active = (
        visit_rate(world, state, row, np.full(len(row), mood == ACTIVE), day)
        for mood in (QUIET, ACTIVE)
    )
    return np.stack([quiet, active, np.zeros(len(row))], axis=1)


def _likelihood(visits_U: IntArray, rate_UM: FloatArray) -> FloatArray:
    """Poisson likelihood of the visits in each mood, up to a factor of the user's."""
    likelihood_UM: FloatArray = np.exp(-rate_UM) * rate_UM ** visits_U[:, None]
    return likelihood_UM
