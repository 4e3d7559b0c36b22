"""PostgreSQL goes away in the middle: is a job lost, or failed for it?"""

from __future__ import annotations

import time

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground
from benchmarks.chaos.scenarios import Figures

AWAY_S = 10.0


def take_database_away(
    ground: Ground, client: httpx.Client, datasets: list[str], *, workers: int, jobs: int = 4
) -> Figures:
    """Stop the server for ten seconds while trainings run."""
    started = [ground.start_worker() for _ in range(workers)]
    ids = [shop.submit(client, datasets[n % len(datasets)]) for n in range(jobs)]
    history.wait_until_stage(ground, ids[0], "training")
    ground.engine.dispose()
    with ground.database.away():
        time.sleep(AWAY_S)
    ended = history.wait_until_ended(ground, ids)
    results = history.results(ground, ids)
    for worker in started:
        worker.terminate()
        worker.wait()
    return {
        "postgres_restart_jobs": len(ids),
        "postgres_restart_lost": sum(row.state != "succeeded" for row in ended),
        "postgres_restart_duplicated": results.total() - len(results),
    }
