"""How much of the possible skill the model reaches on a shop whose truth is known.

The simulator knows the probability that a predictor with all rates known would give, from the same
log. The model learns from the events before a cutoff; both then predict what comes after it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from model import SSMTL, Occurs, Task
from model.simulation import SimulatedShop, simulate_shop

HORIZONS_DAYS = (7, 30)
TEST_DAYS = 30
_SMALLEST = 1e-4


def measure(users: int, items: int, days: int, seeds: int, console: Console) -> dict[str, float]:
    """Print the table, return the figures."""
    rows = [row for seed in range(seeds) for row in _measure(users, items, days, seed)]
    _print(rows, seeds, console)
    return {"share_of_bayes_skill": float(np.mean([row["share"] for row in rows]))}


def _measure(users: int, items: int, days: int, seed: int) -> list[dict[str, Any]]:
    shop = simulate_shop(users, items, days, seed)
    first_at = shop.events["time"].min().normalize().to_pydatetime()
    cutoff_at = first_at + timedelta(days=days - TEST_DAYS)
    tasks = [
        Task(
            name=f"buys_{horizon_days}d",
            entity="user",
            target=Occurs(event_type="purchase"),
            horizon_days=horizon_days,
        )
        for horizon_days in HORIZONS_DAYS
    ]
    known = shop.events[shop.events["time"] <= cutoff_at]
    estimator = SSMTL(tasks, seed=seed).fit(known, shop.users, shop.items)
    return [
        {"seed": seed, "task": task.name, **_skills(shop, known, estimator, task, cutoff_at)}
        for task in tasks
    ]


def _skills(
    shop: SimulatedShop,
    known: pd.DataFrame,
    estimator: SSMTL,
    task: Task,
    cutoff_at: datetime,
) -> dict[str, float]:
    """The skill of the model and the best that is possible, over a constant."""
    answers = estimator.predict(
        task.name, known, shop.users, shop.items, cutoff_at=cutoff_at
    ).set_index("user")
    users = answers.index[~answers["cold_start"]]
    happened = _happened(shop.events, users, cutoff_at, task.horizon_days)
    before = cutoff_at - timedelta(days=task.horizon_days)
    rate = float(_happened(known, users, before, task.horizon_days).mean())
    truth = shop.truth.occurs_probability(task, cutoff_at).reindex(users).to_numpy()
    constant = _log_loss(np.full(len(users), rate), happened)
    model = 1 - _log_loss(answers.loc[users, "probability"].to_numpy(), happened) / constant
    possible = 1 - _log_loss(truth, happened) / constant
    return {"model": model, "possible": possible, "share": model / possible}


def _happened(
    events: pd.DataFrame, users: pd.Index, after: datetime, days: int
) -> NDArray[np.bool_]:
    ahead = events[
        (events["time"] > after)
        & (events["time"] <= after + timedelta(days=days))
        & (events["event_type"] == "purchase")
    ]
    return users.isin(ahead["user"].unique())


def _log_loss(probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> float:
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return float(-np.where(happened, np.log(bounded), np.log(1 - bounded)).mean())


def _print(rows: list[dict[str, Any]], seeds: int, console: Console) -> None:
    table = Table(title=f"Skill on a simulated shop beside the possible, {seeds} seed(s)")
    for column in ("seed", "task", "model", "possible", "share"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            str(row["seed"]),
            row["task"],
            f"{row['model']:.3f}",
            f"{row['possible']:.3f}",
            f"{row['share']:.2f}",
        )
    console.print(table)
