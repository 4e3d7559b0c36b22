"""How long a cancel takes: of trainings that compute, and of a job that ignores it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import CANCEL_GRACE_S, Ground
from benchmarks.chaos.scenarios import Figures


def measure_cancel(ground: Ground, client: httpx.Client, dataset: str, repeats: int = 3) -> Figures:
    """From the request until the job is cancelled and its process is gone."""
    worker = ground.start_worker()
    computing = []
    for repeat in range(repeats):
        job_id = shop.submit(client, dataset, shop.LONG)
        history.wait_until_stage(ground, job_id, "training" if repeat else "snapshots")
        time.sleep(0.5 * repeat)
        computing.append(_cancelled_s(ground, client, job_id))
    worker.terminate()
    worker.wait()
    deaf = ground.start_worker("ignore_everything")
    job_id = shop.submit(client, dataset)
    history.wait_until_stage(ground, job_id, "ignore")
    ignored_s = _cancelled_s(ground, client, job_id)
    deaf.terminate()
    deaf.wait()
    return {
        "cancel_s_max": round(max(computing), 2),
        "cancel_ignored_over_grace_s": round(ignored_s - CANCEL_GRACE_S, 2),
    }


def _cancelled_s(ground: Ground, client: httpx.Client, job_id: str) -> float:
    asked_at = datetime.now(UTC)
    shop.cancel(client, job_id)
    history.wait_until_ended(ground, [job_id])
    return (history.moments(ground, job_id, "cancelled")[0] - asked_at).total_seconds()
