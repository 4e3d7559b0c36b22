"""The shop that is asked: a simulated log with tables, sixteen tasks, and a model trained in haste.

How well the model fits moves no figure, so it is trained on a few steps; its sizes are the ones
that the service takes by default.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from model import Config, Task
from model.simulation import simulate_shop
from model.tasks import Count, Next, Occurs, PeakPeriod, Sum, TimeTo

TABLES = ("events", "users", "items")
HASTE = Config(
    max_cutoffs=4,
    max_rows=3_000,
    max_scored_rows=1_000,
    max_epochs=1,
    max_steps_per_epoch=6,
    bootstrap=2,
)


TASKS: tuple[Task, ...] = (
    Task(name="buys_7d", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(name="buys_14d", entity="user", target=Occurs(event_type="purchase"), horizon_days=14),
    Task(name="carts_7d", entity="user", target=Occurs(event_type="cart"), horizon_days=7),
    Task(name="comes_3d", entity="user", target=Occurs(event_type="view"), horizon_days=3),
    Task(name="comes_14d", entity="user", target=Occurs(event_type="view"), horizon_days=14),
    Task(name="orders_14d", entity="user", target=Count(event_type="purchase"), horizon_days=14),
    Task(name="views_7d", entity="user", target=Count(event_type="view"), horizon_days=7),
    Task(name="spend_14d", entity="user", target=Sum(event_type="purchase"), horizon_days=14),
    Task(name="until_14d", entity="user", target=TimeTo(event_type="purchase"), horizon_days=14),
    Task(name="next_14d", entity="user", target=Next(of="item.category"), horizon_days=14),
    Task(name="sells_7d", entity="item", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(
        name="units_14d",
        entity="item",
        target=Count(event_type="purchase", of="units"),
        horizon_days=14,
    ),
    Task(name="sales_14d", entity="item", target=Sum(event_type="purchase"), horizon_days=14),
    Task(
        name="best_weekday",
        entity="item",
        target=PeakPeriod(event_type="purchase", period="weekday"),
    ),
    Task(name="meets_7d", entity="pair", target=Occurs(event_type="view"), horizon_days=7),
    Task(name="takes_14d", entity="pair", target=Occurs(event_type="purchase"), horizon_days=14),
)


@dataclass(frozen=True)
class Shop:
    """How large the shop is, what is asked of it, and how the model is trained."""

    users: int = 100_000
    items: int = 50_000
    days: int = 150
    tasks: tuple[Task, ...] = TASKS
    config: Config = HASTE

    @property
    def size(self) -> str:
        """Part of a file's name."""
        return f"{self.users}-{self.items}-{self.days}"

    def to_json(self) -> str:
        """For a process of its own."""
        return json.dumps(
            {
                "users": self.users,
                "items": self.items,
                "days": self.days,
                "tasks": [task.model_dump(mode="json") for task in self.tasks],
                "config": self.config.model_dump(mode="json"),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Shop:
        """What `to_json` gave."""
        told = json.loads(text)
        tasks = tuple(Task.model_validate(task) for task in told.pop("tasks"))
        return cls(tasks=tasks, config=Config.model_validate(told.pop("config")), **told)

    def write_tables(self, folder: Path) -> None:
        """Simulate it; a Parquet file for each of `TABLES`."""
        shop = simulate_shop(self.users, self.items, self.days)
        folder.mkdir(parents=True)
        pq.write_table(shop.events_arrow, folder / "events.parquet")
        shop.users.to_parquet(folder / "users.parquet", index=False)
        shop.items.to_parquet(folder / "items.parquet", index=False)


DATASET = "shop"
ASKED = "buys_7d"
"""The task of the single predictions."""
SOMEBODY = "u00001"
"""A user whom a shop of any size has."""
BATCH_ROWS = 10_000


def batch_body(users: list[str]) -> dict[str, object]:
    """A call for many users."""
    return {"tasks": [ASKED], "users": users}
