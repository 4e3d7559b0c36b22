"""A prediction job for all users, stored and downloaded, beside features and forward alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

import httpx
import pandas as pd

from benchmarks.serving.batches import forward_rows_per_s
from benchmarks.serving.ground import Ground
from benchmarks.serving.process import Server
from benchmarks.serving.shop import ASKED, DATASET

_TIMEOUT_S = 300.0
_POLL_S = 0.05
_ENDED = ("succeeded", "failed", "cancelled")


def bulk(ground: Ground, rounds: int) -> Mapping[str, float]:
    """Users a second, from the submission to the last byte of the export, over the forward's.

    The job scores with all cores, as it does by itself, the forward with one; by the way also with
    one thread in either.
    """
    together = _over_forward(ground, rounds, None)
    alone = _over_forward(ground, rounds, 1)
    return {
        "bulk_over_forward": together.over_forward,
        "bulk_rows_per_s": together.rows_per_s,
        "bulk_one_thread_over_forward": alone.over_forward,
        "bulk_one_thread_rows_per_s": alone.rows_per_s,
    }


class _Bulk(NamedTuple):
    over_forward: float
    rows_per_s: float


def _over_forward(ground: Ground, rounds: int, job_threads: int | None) -> _Bulk:
    users = len(pd.read_parquet(ground.tables / "users.parquet", columns=["user"]))
    rates, forward = [], []
    with ground.service(worker=True, job_threads=job_threads) as server:
        for _ in range(rounds):
            forward.append(forward_rows_per_s(ground))
            rates.append(users / _scored_and_downloaded_s(server, [ASKED]))
    return _Bulk(median(rates) / median(forward), median(rates))


def _scored_and_downloaded_s(server: Server, tasks: Sequence[str]) -> float:
    pause = threading.Event()  # never set: its wait is the poll's
    url = f"{server.address}/v1/datasets/{DATASET}/prediction-jobs"
    with httpx.Client(timeout=_TIMEOUT_S) as client:
        begun = time.perf_counter()
        job = client.post(url, json={"tasks": list(tasks)}).raise_for_status().json()
        while job["state"] not in _ENDED:
            pause.wait(_POLL_S)
            job = client.get(f"{url}/{job['id']}").raise_for_status().json()
        if job["state"] != "succeeded":
            raise RuntimeError(f"the prediction job has {job['state']}: {job['error']}")
        with client.stream("GET", f"{url}/{job['id']}/export") as export:
            export.raise_for_status()
            for _ in export.iter_raw():
                pass
        return time.perf_counter() - begun
