"""Version swaps under load: how many requests are lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import httpx

from benchmarks.serving.load import Load, Request, put_load
from benchmarks.serving.process import Server
from benchmarks.serving.shop import DATASET

SWAPS = 100
_BUSY = 16
_SECONDS = 8.0


def swaps(server: Server, requests: Sequence[Request], count: int = SWAPS) -> Mapping[str, float]:
    """Move the champion back and forth between two versions, spread over a load.

    Returns:
        What was lost of all requests, swaps included.
    """
    found: list[Load] = []
    load = threading.Thread(
        target=lambda: found.append(put_load(server.port, requests, _BUSY, _SECONDS))
    )
    load.start()
    refused = 0
    pause = threading.Event()  # never set: its wait spreads the swaps over the load
    with httpx.Client(base_url=f"{server.address}/v1/datasets/{DATASET}") as client:
        for swap in range(count):
            answer = client.put("/aliases/champion", json={"version": swap % 2 + 1})
            refused += answer.is_error
            pause.wait(_SECONDS / 2 / count)
    load.join()
    return {
        "lost_requests_in_swap": float(found[0].lost + refused),
        "requests_in_swap": float(found[0].answers),
    }
