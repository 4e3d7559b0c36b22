"""`ssmtl serve` alone: how it answers while a job trains, and what a `kill -9` of it costs."""

from __future__ import annotations

import statistics
import time

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground, eventually
from benchmarks.chaos.scenarios import Figures

_REQUESTS = 400
_PACE_S = 0.01
_ROUNDS = 3


def measure_latency(ground: Ground, dataset: str) -> Figures:
    """The 99th percentile of `/livez` while a job trains, against before and after it."""
    process, client = ground.start_api(embedded_worker=True)
    idle, busy = [], []
    for _ in range(_ROUNDS):
        idle.append(_p99_ms(client))
        job_id = shop.submit(client, dataset, shop.LONG)
        history.wait_until_stage(ground, job_id, "training")
        busy.append(_p99_ms(client))
        shop.cancel(client, job_id)
        history.wait_until_ended(ground, [job_id])
    process.terminate()
    process.wait()
    return {
        "livez_p99_idle_ms": round(statistics.median(idle), 2),
        "livez_p99_training_ms": round(statistics.median(busy), 2),
        "livez_p99_ratio": round(statistics.median(busy) / statistics.median(idle), 2),
    }


def kill_the_service(ground: Ground, dataset: str) -> Figures:
    """`kill -9` of `ssmtl serve` in the middle of a training; then it is started again."""
    process, client = ground.start_api(embedded_worker=True)
    config = {**shop.SMALL, "max_epochs": 15, "patience": 15}
    job_id = shop.submit(client, dataset, config)
    eventually(lambda: (history.job(ground, job_id).progress.get("epoch") or 0) >= 2, "two epochs")
    process.kill()
    process.wait()
    process, client = ground.start_api(embedded_worker=True)
    (ended,) = history.wait_until_ended(ground, [job_id])
    process.terminate()
    process.wait()
    return {
        "serve_killed_succeeded": float(ended.state == "succeeded"),
        "serve_killed_resumed": len(history.resumed(ground, job_id)),
        "serve_killed_results": history.results(ground, [job_id]).total(),
    }


def _p99_ms(client: httpx.Client) -> float:
    took_ms = []
    for _ in range(_REQUESTS):
        begun = time.perf_counter()
        client.get("/livez")
        took_ms.append((time.perf_counter() - begun) * 1000)
        time.sleep(_PACE_S)
    return statistics.quantiles(took_ms, n=100)[98]
