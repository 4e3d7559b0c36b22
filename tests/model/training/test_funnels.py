"""A funnel is what the log shows: hardly a purchase without a cart, but carts without one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model import Config, Count, Occurs, Task
from model.events import EventLog
from model.snapshots import final_part
from model.training.funnels import funnels
from model.training.preparation import prepare

DAYS, USERS, EVENTS = 150, 200, 8000
CONFIG = Config(max_cutoffs=5, self_supervision=0.0)


def log_with(carts_before: float) -> EventLog:
    """Users who put things into the cart, and buy some of them at once."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2024-01-01", tz="UTC")
    times = start + pd.to_timedelta(rng.uniform(0, DAYS, EVENTS), unit="D")
    carts = pd.DataFrame(
        {
            "user": [f"u{n}" for n in rng.integers(0, USERS, len(times))],
            "item": [f"i{n}" for n in rng.integers(0, 5, len(times))],
            "time": times,
        }
    )
    bought = carts.sample(frac=0.4, random_state=1)
    with_cart = rng.random(len(carts)) < carts_before
    kept = carts[with_cart | ~carts.index.isin(bought.index)]
    views = carts.assign(time=rng.permutation(carts["time"]), event_type="view")
    return EventLog.from_frames(
        pd.concat(
            [
                views.sample(frac=0.5, random_state=2),
                kept.assign(event_type="cart"),
                bought.assign(event_type="purchase"),
            ]
        )
    )


def task(name: str, event_type: str, days: float, **changes: object) -> Task:
    target = Occurs(event_type=event_type)
    return Task(name=name, entity="user", target=target, horizon_days=days).model_copy(
        update=changes
    )


TASKS = [
    task("buys", "purchase", 3),
    task("carts", "cart", 3),
    task("views", "view", 3),
    task("orders", "purchase", 3, target=Count(event_type="purchase")),
    task("carts_later", "cart", 10),
]


@pytest.mark.parametrize(("share", "found"), [(1.0, [("buys", "carts")]), (0.5, [])])
def test_what_hardly_comes_alone_is_a_funnel(share: float, found: list[tuple[str, str]]) -> None:
    log = log_with(carts_before=share)
    part = final_part(log, TASKS, CONFIG.max_cutoffs)
    prepared = prepare(log, TASKS, part, CONFIG, np.random.default_rng(0))
    assert funnels(prepared.layouts["user"], prepared.training["user"]) == found
