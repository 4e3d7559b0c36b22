"""Calls for 10,000 users over HTTP, beside features and forward called in a process.

One thread computes in either.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median

import httpx

from benchmarks.measuring import in_fresh_process
from benchmarks.serving.ground import Ground
from benchmarks.serving.process import Server
from benchmarks.serving.shop import BATCH_ROWS, DATASET, batch_body
from benchmarks.serving.singles import user_ids

ACCEPT = {
    "batch": "application/vnd.apache.arrow.stream",
    "batch_json": "application/vnd.ssmtl.columns+json",
}
_CALLS = 5
_TIMEOUT_S = 60.0


def batches(server: Server, ground: Ground, rounds: int) -> Mapping[str, float]:
    """Rows a second of each format over those of the forward alone, in turn."""
    rates: dict[str, list[float]] = {name: [] for name in (*ACCEPT, "forward")}
    users = user_ids(ground, BATCH_ROWS, seed=1)
    with httpx.Client(base_url=server.address, timeout=_TIMEOUT_S) as client:
        for name in ACCEPT:
            _rows_per_s(client, name, users)
        for _ in range(rounds):
            rates["forward"].append(forward_rows_per_s(ground))
            for name in ACCEPT:
                rates[name].append(_rows_per_s(client, name, users))
    medians = {name: median(found) for name, found in rates.items()}
    return {
        **{f"{name}_over_forward": medians[name] / medians["forward"] for name in ACCEPT},
        **{f"{name}_rows_per_s": rate for name, rate in medians.items()},
    }


def _rows_per_s(client: httpx.Client, name: str, users: list[str]) -> float:
    taken_s = []
    for _ in range(_CALLS):
        begun = time.perf_counter()
        answer = client.post(
            f"/v1/datasets/{DATASET}/predictions",
            json=batch_body(users),
            headers={"Accept": ACCEPT[name]},
        )
        taken_s.append(time.perf_counter() - begun)
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith(ACCEPT[name]), answer.headers
    return len(users) / median(taken_s)


def forward_rows_per_s(ground: Ground) -> float:
    """Users a second by one thread of a process that does nothing else."""
    cost = in_fresh_process(
        "benchmarks.serving.forward", "batch", ground.artifact, ground.index, threads=1
    )
    rate: float = cost.answer["forward_rows_per_s"]
    return rate
