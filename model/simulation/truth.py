"""What nobody reads off the log: the true probabilities, found by playing the future.

Two truths are told. Given the `log`, hidden moods (quiet, active, gone) are drawn from what
the visits so far tell of them: the best any predictor could say that knows the shop's laws, the
users' true rates, when what they bought runs out, and the coming promotions. Given the `state`,
the moods themselves are known: a looser bound, which no predictor from the log comes near,
since it knows who has left.

Both are bounds, not targets: in expectation no predictor from the log has a lower log loss,
and one that has to learn the laws from the log has a higher one. Each probability is a mean
over rollouts, with a noise of sqrt(p (1 - p) / rollouts), and may be exactly zero or one: smooth
it before taking logs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from model.errors import InvalidTask
from model.simulation.belief import belief_before
from model.simulation.days import DAYS_BEYOND, yearly_demand
from model.simulation.log import Chronicle
from model.simulation.process import EVENT_TYPES, RETURN
from model.simulation.rollouts import Outlook, Window, occurrences, peak_shares
from model.simulation.state import FOREVER
from model.simulation.tables import item_ids, user_ids
from model.tasks import PERIODS, Occurs, PeakPeriod, Task

Given = Literal["log", "state"]
"""What a truth may know of the past."""

MONTH_STARTS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
"""Days of a common year before each month."""


class Truth:
    """The truth of one simulated shop."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._world = chronicle.world
        self._users = pd.Index(user_ids(self._world.people), name="user", dtype="str")
        self._items = pd.Index(item_ids(self._world.catalogue), name="item", dtype="str")

    def occurs_probability(
        self,
        task: Task,
        cutoff_at: datetime,
        rollouts: int = 200,
        seed: int = 0,
        *,
        given: Given = "log",
    ) -> pd.Series[float]:
        """The probability that the event of an `occurs` task happens; see the module's caveats.

        Futures start at the last midnight (UTC) at or before the cutoff; what happened
        between the two is not used. Ask at a midnight for a strict bound.

        Returns:
            For users: all who joined before that midnight. For items: all. For pairs: those
            that met in at least one rollout, indexed by (user, item); others have zero.

        Raises:
            InvalidTask: not an `occurs` task; or its event type is not a view, cart or purchase
                (returns are no part of the state); or its horizon reaches too far.
            ValueError: the cutoff lies outside the log.
        """
        if not isinstance(task.target, Occurs):
            raise InvalidTask(task.name, f"this truth is for occurs, not {task.target.kind}")
        outlook = self._outlook(task, task.target.event_type, cutoff_at, given)
        joined = self._world.people.join_day_U < outlook.window.first_day
        if task.entity != "item":
            outlook = replace(outlook, state=outlook.state.take(np.flatnonzero(joined)))
        code, share = occurrences(outlook, task.entity, rollouts, seed)
        if task.entity == "pair":
            user, item = np.divmod(code, self._world.catalogue.size)
            pairs = pd.MultiIndex.from_arrays([self._users[user], self._items[item]])
            return pd.Series(share, pairs, name=task.name)
        index = self._items if task.entity == "item" else self._users
        probability = np.zeros(len(index))
        probability[code] = share
        series = pd.Series(probability, index, name=task.name)
        return series if task.entity == "item" else series[joined]

    def peak_probabilities(
        self,
        task: Task,
        cutoff_at: datetime,
        rollouts: int = 20,
        seed: int = 0,
        *,
        given: Given = "log",
    ) -> pd.DataFrame:
        """How likely each period is the best-selling one of an item in the coming cycle.

        Returns:
            One row an item; columns are the periods, numbered as predictions number them
            (months, ISO weeks and weekdays from 1, hours from 0, all in UTC). NaN for items
            that sold nothing in any rollout.

        Raises:
            InvalidTask: not a `peak_period` task of the purchased units of items, or its
                horizon reaches too far.
            ValueError: the cutoff lies outside the log.
        """
        target = task.target
        if not isinstance(target, PeakPeriod) or task.entity != "item" or target.of != "units":
            raise InvalidTask(task.name, "this truth is for peak_period of the units of items")
        if target.event_type != "purchase":
            raise InvalidTask(task.name, "units are known for purchase only")
        outlook = self._outlook(task, target.event_type, cutoff_at, given)
        shares = peak_shares(outlook, target.period, rollouts, seed)
        first = 0 if target.period == "hour" else 1
        columns = range(first, first + PERIODS[target.period])
        return pd.DataFrame(shares, self._items, columns=list(columns))

    def item_seasonality(self) -> pd.DataFrame:
        """Expected looks at each item by month, relative to its mean month (columns 1 to 12).

        Season, the shop's yearly rhythm and the rivalry between categories are in it, for a
        user of average taste; promotions and launches are not.
        """
        day_of_year = np.arange(1, 366)
        catalogue = self._world.catalogue
        profile_ID = np.stack(
            [catalogue.seasonal_profile(day) for day in day_of_year.tolist()], axis=1
        )
        demand_CD = np.add.reduceat(
            profile_ID * catalogue.popularity_I[:, None], catalogue.first_item_C, axis=0
        )
        interest_C = self._world.people.affinity_UC.mean(axis=0) / catalogue.popularity_C
        demand_ID = profile_ID * yearly_demand(day_of_year) / (interest_C @ demand_CD)
        month_days = np.diff(np.append(MONTH_STARTS, 365))
        month_IM = np.add.reduceat(demand_ID, MONTH_STARTS, axis=1) / month_days
        relative_IM = month_IM / month_IM.mean(axis=1, keepdims=True)
        return pd.DataFrame(relative_IM, self._items, columns=list(range(1, 13)))

    def peak_month(self) -> pd.Series[int]:
        """The month (1 to 12) in which each item is looked at most, by its seasonality."""
        return self.item_seasonality().idxmax(axis=1).rename("peak_month")

    def lifetimes(self) -> pd.DataFrame:
        """When each user joined and left: `joined_at`, `left_at` (NaT for who is still there).

        From the midnight `left_at` on there is no event of the user.
        """
        start_at = pd.Timestamp(self._world.days.start_at)
        left_day = self._chronicle.last_state.left_day_R.astype(np.float64)
        left_day[left_day == FOREVER] = np.nan
        return pd.DataFrame(
            {
                "joined_at": start_at + pd.to_timedelta(self._world.people.join_day_U, unit="D"),
                "left_at": start_at + pd.to_timedelta(left_day, unit="D"),
            },
            self._users,
        )

    def _outlook(self, task: Task, event_type: str, cutoff_at: datetime, given: Given) -> Outlook:
        """Check what both kinds of truth ask for, and go to the cutoff."""
        days = self._world.days
        if event_type not in EVENT_TYPES or event_type == EVENT_TYPES[RETURN]:
            raise InvalidTask(task.name, f"the truth of {event_type!r} is not known")
        if task.horizon_days > DAYS_BEYOND:
            raise InvalidTask(task.name, f"the calendar ends {DAYS_BEYOND} days after the log")
        if not days.start_at <= cutoff_at <= days.end_at:
            raise ValueError(f"cutoff {cutoff_at.isoformat()} lies outside the log")
        after_us, until_us = (
            (moment - days.start_at) // timedelta(microseconds=1)
            for moment in (cutoff_at, cutoff_at + timedelta(days=task.horizon_days))
        )
        window = Window(EVENT_TYPES.index(event_type), after_us, until_us)
        state = self._chronicle.state_before(window.first_day)
        belief = belief_before(self._chronicle, window.first_day) if given == "log" else None
        return Outlook(self._world, state, belief, window)
