"""On a simulated shop's held-out time: what is known of other tasks makes predictions better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model import SSMTL, Config, Count, Occurs, Sum, Task
from model.events import EventLog
from model.prediction.conditional import Conditional, Scored
from model.simulation import simulate_shop

DAYS = 28
TASKS = (
    Task(name="buys_7d", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(name="views_14d", entity="user", target=Occurs(event_type="view"), horizon_days=14),
    Task(name="buys_28d", entity="user", target=Occurs(event_type="purchase"), horizon_days=DAYS),
    Task(name="orders_28d", entity="user", target=Count(event_type="purchase"), horizon_days=DAYS),
    Task(name="spend_28d", entity="user", target=Sum(event_type="purchase"), horizon_days=DAYS),
)
SMALL = Config(
    max_epochs=6, max_cutoffs=12, max_steps_per_epoch=60, members=2, width=64, bootstrap=10
)


@dataclass(frozen=True)
class HeldOut:
    """What is said of users, and what then happened."""

    conditional: Conditional
    scored: Scored
    happened: list[dict[str, Any]]

    def nll(self, task: str, given: tuple[str, ...] = ()) -> float:
        """Mean nats of a task, given what happened of others."""
        total = 0.0
        for row, outcomes in enumerate(self.happened):
            known = self.conditional.given({name: outcomes[name] for name in given})
            parameters = self.conditional.parameters(self.scored.take(np.array([row])), known)
            found = self.conditional.distribution(task, parameters, known)
            total -= float(found.log_probability(float(outcomes[task]))[0])
        return total / len(self.happened)


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    shop = simulate_shop(users=400, items=80, days=270)
    times = pd.to_datetime(shop.events["time"], utc=True)
    end = times.max().floor("D") - pd.Timedelta(days=DAYS)
    log = EventLog.from_frames(shop.events[times <= end], shop.users, shop.items)
    predictor = SSMTL(TASKS, SMALL).fit(log).predictor_
    users = [str(user) for user in shop.events[times <= end]["user"].unique()]
    days = (times - predictor.cutoff_at).dt.total_seconds() / 86_400
    ahead = shop.events.assign(days=days)[(days > 0) & (days <= DAYS)]
    by_user = dict(list(ahead.groupby("user")))
    conditional = predictor.conditional("user")
    read = predictor.reader(log).read(predictor._entity_rows(log, "user", users, None))
    return HeldOut(
        conditional=conditional,
        scored=conditional.score(read, log),
        happened=[outcomes_of(by_user.get(user, ahead.head(0))) for user in users],
    )


def outcomes_of(events: pd.DataFrame) -> dict[str, Any]:
    bought = events[events["event_type"] == "purchase"]
    viewed = events[events["event_type"] == "view"]
    return {
        "buys_7d": bool((bought["days"] <= 7).any()),
        "views_14d": bool((viewed["days"] <= 14).any()),
        "buys_28d": len(bought) > 0,
        "orders_28d": len(bought),
        "spend_28d": round(float(bought["value"].sum()), 2),
    }


@pytest.mark.slow
def test_what_is_known_makes_predictions_better(held_out: HeldOut) -> None:
    for task, given in (
        ("buys_28d", ("views_14d",)),
        ("buys_28d", ("buys_7d",)),
        ("views_14d", ("buys_7d",)),
        ("orders_28d", ("buys_7d",)),
        ("spend_28d", ("orders_28d",)),
        ("buys_7d", ("spend_28d", "views_14d")),
    ):
        assert held_out.nll(task, given) < held_out.nll(task), (task, given)


@pytest.mark.slow
def test_outcomes_are_more_probable_together_than_each_by_itself(held_out: HeldOut) -> None:
    nothing = held_out.conditional.given({})
    joint, independent = [], []
    for row, outcomes in enumerate(held_out.happened):
        scored = held_out.scored.take(np.array([row]))
        found = held_out.conditional.joint(scored, outcomes, nothing)
        joint.append(found.log_probability[0])
        independent.append(found.independent_log_probability[0])
    assert np.mean(joint) > np.mean(independent) + 0.5
