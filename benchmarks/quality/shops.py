"""The real log and the tasks that are asked of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from model import Count, Next, Occurs, PeakPeriod, Sum, Task
from model.events import EventLog

HORIZONS_DAYS = (7, 14, 30, 60)
PURCHASE = "purchase"
DEPARTMENTS = 12
"""How many words of the descriptions make a department each."""


def online_retail(path: Path, departments: int = DEPARTMENTS) -> EventLog:
    """The transactions of a British gift shop (Chen, 2012, doi:10.24432/C5CG6D).

    A row of negative quantity is a return. The log has no departments: an item's is the most
    frequent of the last words of all descriptions that is in its own.
    """
    raw = pd.read_parquet(path).drop_duplicates()
    item = raw["StockCode"].astype("str").str.strip()
    events = pd.DataFrame(
        {
            "user": raw["Customer ID"],
            "item": item,
            "time": raw["InvoiceDate"],
            "event_type": raw["Quantity"].lt(0).map({True: "return", False: PURCHASE}),
            "quantity": raw["Quantity"],
            "price": raw["Price"],
        }
    )
    return EventLog.from_frames(
        events, items=_departments(item, raw["Description"], departments), time_zone="Europe/London"
    )


def _departments(item: pd.Series, description: pd.Series, departments: int) -> pd.DataFrame:
    described = pd.DataFrame({"item": item, "words": description}).dropna()
    described = described.drop_duplicates("item", keep="first")
    last = described["words"].str.strip().str.split().str[-1]
    known = last.value_counts().index[:departments]
    return pd.DataFrame(
        {"item": described["item"], "department": last.where(last.isin(known), None)}
    )


def tasks() -> list[Task]:
    """Who buys when, how often and for how much; what sells; who buys what next."""
    return [
        *(task for days in HORIZONS_DAYS for task in _of_users(days)),
        Task(
            name="item_units_30d",
            entity="item",
            target=Count(event_type=PURCHASE, of="units"),
            horizon_days=30,
        ),
        Task(name="item_best_month", entity="item", target=PeakPeriod(event_type=PURCHASE)),
        Task(
            name="pair_buys_30d",
            entity="pair",
            target=Occurs(event_type=PURCHASE),
            horizon_days=30,
        ),
        Task(
            name="user_next_department_30d",
            entity="user",
            target=Next(of="item.department", event_type=PURCHASE),
            horizon_days=30,
        ),
    ]


def _of_users(days: int) -> list[Task]:
    targets = {
        "buys": Occurs(event_type=PURCHASE),
        "orders": Count(event_type=PURCHASE, of="days"),
        "spend": Sum(event_type=PURCHASE),
    }
    return [
        Task(name=f"user_{what}_{days}d", entity="user", target=target, horizon_days=days)
        for what, target in targets.items()
    ]
