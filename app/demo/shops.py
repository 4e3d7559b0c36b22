"""What the demo imports: a simulated shop, or the Online Retail II file as it was published."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from model.simulation import simulate_shop

USERS, ITEMS, DAYS = 2000, 300, 800


@dataclass(frozen=True)
class Upload:
    """One table as it goes over the wire."""

    table: str
    content_type: str
    content: bytes | Path


@dataclass(frozen=True)
class Shop:
    """A dataset's declaration and its uploads."""

    title: str
    declaration: dict[str, Any]
    uploads: tuple[Upload, ...]


def simulated() -> Shop:
    """A seeded shop with views, carts, purchases and returns, as three CSV files."""
    shop = simulate_shop(users=USERS, items=ITEMS, days=DAYS)
    frames = {"events": shop.events, "users": shop.users, "items": shop.items}
    return Shop(
        title=f"a simulated shop: {USERS:,} users, {ITEMS:,} items, {DAYS} days",
        declaration={"name": "simulated-shop", "time_zone": "UTC"},
        uploads=tuple(Upload(table, "text/csv", _csv(frame)) for table, frame in frames.items()),
    )


def online_retail(path: Path) -> Shop:
    """The transactions of a British gift shop (Chen, 2012, doi:10.24432/C5CG6D)."""
    return Shop(
        title=f"Online Retail II from {path.name}",
        declaration={
            "name": "online-retail-ii",
            "time_zone": "Europe/London",
            "events": {
                "columns": {
                    "user": "Customer ID",
                    "item": "StockCode",
                    "time": "InvoiceDate",
                    "quantity": "Quantity",
                    "price": "Price",
                },
                "default_event_type": "purchase",
                "rules": [{"column": "Quantity", "op": "<", "value": 0, "event_type": "return"}],
            },
        },
        uploads=(Upload("events", "application/vnd.apache.parquet", path),),
    )


def _csv(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_csv(buffer, index=False)
    return buffer.getvalue()
