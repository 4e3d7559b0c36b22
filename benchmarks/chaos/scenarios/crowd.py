"""Many submissions at once: is each job made, and run once?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground
from benchmarks.chaos.scenarios import Figures


def submit_at_once(
    ground: Ground, client: httpx.Client, datasets: list[str], *, workers: int, submissions: int
) -> Figures:
    """So many clients that submit in the same moment."""
    started = [ground.start_worker("finish_at_once") for _ in range(workers)]
    with ThreadPoolExecutor(submissions) as pool:
        ids = list(
            pool.map(
                lambda n: shop.submit(client, datasets[n % len(datasets)], seed=n),
                range(submissions),
            )
        )
    ended = history.wait_until_ended(ground, ids)
    once = [
        row.id
        for row in ended
        if row.state == "succeeded" and len(history.moments(ground, row.id, "running")) == 1
    ]
    results = history.results(ground, ids)
    for worker in started:
        worker.terminate()
        worker.wait()
    return {
        "submissions": submissions,
        "submitted_jobs": len(set(ids)),
        f"submissions_{submissions}_run_once": sum(results[job_id] == 1 for job_id in once),
    }
