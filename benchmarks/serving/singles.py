"""One prediction a request: beside the constant route, beside a client of batches, and fresh."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median

import httpx
import numpy as np
import pandas as pd

from benchmarks.serving.ground import Ground
from benchmarks.serving.load import Load, Request, put_load
from benchmarks.serving.process import Server
from benchmarks.serving.shop import ASKED, BATCH_ROWS, DATASET, batch_body

NOOP = [Request("GET", "/noop")]
CONNECTIONS = (1, 16, 64)
_BUSY = 16
_ASKED_USERS = 20_000
_WARM_S = 1.0
_FRESH_USERS = 20
_TIMEOUT_S = 60.0
_URL = f"/v1/datasets/{DATASET}"


def user_ids(ground: Ground, count: int, seed: int = 0) -> list[str]:
    """Users of the table, each at most once, in no order."""
    ids = pd.read_parquet(ground.tables / "users.parquet", columns=["user"])["user"]
    chosen = np.random.default_rng(seed).permutation(len(ids))[:count]
    return ids.iloc[chosen].tolist()


def single_requests(ground: Ground) -> list[Request]:
    """One prediction each, of users in no order."""
    path = f"{_URL}/tasks/{ASKED}/predictions"
    return [Request("GET", f"{path}/{user}") for user in user_ids(ground, _ASKED_USERS)]


def beside_noop(
    server: Server, requests: Sequence[Request], rounds: int, seconds: float
) -> dict[str, float]:
    """Rates and latencies of single predictions over those of the constant route."""
    runs: dict[str, list[Load]] = {}
    for what in (requests, NOOP):
        put_load(server.port, what, _BUSY, _WARM_S)
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for name, what in (("noop", NOOP), ("single", requests)):
                load = _whole(put_load(server.port, what, connections, seconds))
                runs.setdefault(f"{name}_c{connections}", []).append(load)
    figures = {
        f"single_over_noop_c{n}": ratio(runs[f"single_c{n}"], runs[f"noop_c{n}"], "per_s")
        for n in CONNECTIONS
    }
    figures["single_p99_over_noop_p99_c16"] = ratio(runs["single_c16"], runs["noop_c16"], "p99_ms")
    rates = {f"{name}_per_s": median(load.per_s for load in runs[name]) for name in runs}
    p99_ms = {f"{name}_p99_ms": median(load.p99_ms for load in runs[name]) for name in runs}
    return {**figures, **rates, **p99_ms}


def own_load_limit(server: Server, seconds: float) -> dict[str, float]:
    """The share of its core that the load generator takes at the constant route's rate."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    put_load(server.port, NOOP, _BUSY, seconds)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"generator_core_share": used_s / seconds}


def ratio(ours: Sequence[Load], others: Sequence[Load], what: str) -> float:
    """Median over median."""
    return median(getattr(load, what) for load in ours) / median(
        getattr(load, what) for load in others
    )


def under_batches(
    server: Server, ground: Ground, requests: Sequence[Request], rounds: int, seconds: float
) -> Mapping[str, float]:
    """The singles' 99th percentile while one client loops calls for 10,000 users, over idle."""
    body = batch_body(user_ids(ground, BATCH_ROWS, seed=1))
    idle, busy, calls = [], [], 0
    for _ in range(rounds):
        idle.append(_whole(put_load(server.port, requests, _BUSY, seconds)))
        with looping(server, body) as done:
            busy.append(_whole(put_load(server.port, requests, _BUSY, seconds)))
        calls += len(done)
    return {
        "single_p99_under_batch_over_idle": ratio(busy, idle, "p99_ms"),
        "single_p99_idle_ms": median(load.p99_ms for load in idle),
        "single_p99_under_batch_ms": median(load.p99_ms for load in busy),
        "batches_meanwhile_per_s": calls / (rounds * seconds),
    }


@contextmanager
def looping(server: Server, body: Mapping[str, object]) -> Iterator[list[float]]:
    """One client asks for the same batch again and again; gives what each call took."""
    over = threading.Event()
    taken_s: list[float] = []
    failed: list[BaseException] = []

    def loop() -> None:
        try:
            with httpx.Client(base_url=server.address, timeout=_TIMEOUT_S) as client:
                while not over.is_set():
                    begun = time.perf_counter()
                    client.post(f"{_URL}/predictions", json=body).raise_for_status()
                    taken_s.append(time.perf_counter() - begun)
        except BaseException as error:  # noqa: BLE001 (raised by whoever waits)
            failed.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield taken_s
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def freshness(server: Server) -> Mapping[str, float]:
    """How long after its event was accepted a new user is first answered for."""
    seen_ms, accepted_ms = [], []
    with httpx.Client(base_url=f"{server.address}{_URL}", timeout=_TIMEOUT_S) as client:
        for number in range(_FRESH_USERS):
            user = f"fresh-{time.time_ns()}-{number}"
            begun = time.perf_counter()
            client.post("/events", json={"events": [_event(user)]}).raise_for_status()
            accepted = time.perf_counter()
            while not _knows(client, user):
                pass
            seen_ms.append((time.perf_counter() - accepted) * 1000)
            accepted_ms.append((accepted - begun) * 1000)
    return {
        "fresh_event_visible_ms": max(seen_ms),
        "fresh_event_visible_p50_ms": median(seen_ms),
        "event_accepted_p50_ms": median(accepted_ms),
    }


def _event(user: str) -> dict[str, object]:
    return {
        "event_id": user,
        "user": user,
        "item": "i00001",
        "time": datetime.now(UTC).isoformat(),
        "event_type": "view",
    }


def _knows(client: httpx.Client, user: str) -> bool:
    answer = client.get(f"/tasks/{ASKED}/predictions/{user}")
    if answer.status_code == 404:
        return False
    return not answer.raise_for_status().json()["cold_start"]


def _whole(load: Load) -> Load:
    """The load, if every request was answered.

    Raises:
        RuntimeError: some were not.
    """
    if load.lost or not load.answers:
        raise RuntimeError(f"of {load.answers} requests {load.lost} were not answered with 2xx")
    return load
