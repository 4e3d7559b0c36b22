"""What one API process takes: time to be ready, and memory after it has answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import httpx

from benchmarks.serving.ground import Ground
from benchmarks.serving.load import Request, put_load
from benchmarks.serving.shop import BATCH_ROWS, DATASET, batch_body
from benchmarks.serving.singles import user_ids

_BUSY = 16
_SECONDS = 3.0
_TIMEOUT_S = 60.0


def footprint(ground: Ground, requests: Sequence[Request], starts: int) -> Mapping[str, float]:
    """Of `ssmtl serve` without a worker.

    Args:
        ground: what it serves.
        requests: single predictions that it answers before its memory is looked at.
        starts: how often it is started.
    """
    ready_s = []
    for _ in range(starts):
        with ground.service() as server:
            ready_s.append(server.ready_s)
            if len(ready_s) == starts:
                put_load(server.port, requests, _BUSY, _SECONDS)
                after_singles = server.pss_mib()
                body = batch_body(user_ids(ground, BATCH_ROWS))
                url = f"{server.address}/v1/datasets/{DATASET}/predictions"
                httpx.post(url, json=body, timeout=_TIMEOUT_S).raise_for_status()
                after_batch = server.pss_mib()
    return {
        "start_to_ready_s": median(ready_s),
        "memory_mib": max(after_singles, after_batch),
        "memory_after_singles_mib": after_singles,
    }
