"""Datasets and uploads as clients make them."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi.testclient import TestClient

CSV = {"Content-Type": "text/csv"}
JSONL = {"Content-Type": "application/jsonl"}

EVENTS = (
    "user_id,item_id,time,event_type,quantity,price\n"
    "u1,i1,2024-01-01 10:00,view,,\n"
    "u1,i1,2024-01-01 10:05,purchase,2,1.50\n"
    "u2,i2,2024-01-02 11:00,view,,\n"
    ",i2,2024-03-03 12:00,purchase,1,9.99\n"
)


def make_dataset(client: TestClient, name: str = "shop", **mapping: Any) -> dict[str, Any]:
    answer = client.post("/v1/datasets", json={"name": name, **mapping})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def upload(
    client: TestClient,
    content: str | bytes,
    name: str = "shop",
    headers: dict[str, str] | None = None,
    **query: Any,
) -> httpx.Response:
    return client.post(
        f"/v1/datasets/{name}/imports",
        params=query,
        content=content.encode() if isinstance(content, str) else content,
        headers=CSV if headers is None else headers,
    )


def uploaded(client: TestClient, content: str | bytes, **options: Any) -> dict[str, Any]:
    answer = upload(client, content, **options)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Read, accepted, duplicate, rejected."""
    return (
        report["rows_read"],
        report["rows_accepted"],
        report["rows_duplicate"],
        report["rows_rejected"],
    )
