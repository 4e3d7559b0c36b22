"""Many submissions at once: is each job made, and run once?"""

from __future__ import annotations

import asyncio

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground
from benchmarks.chaos.scenarios import Figures

_NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""Each submission has a connection of its own, as two hundred clients would have.

A pool that threads share may close a connection that it has just given to one of them
(github.com/encode/httpcore/issues/1110): "Bad file descriptor".
"""


def submit_at_once(
    ground: Ground, client: httpx.Client, datasets: list[str], *, workers: int, submissions: int
) -> Figures:
    """So many clients that submit in the same moment, while workers take the first jobs."""
    started = [ground.start_worker("finish_at_once") for _ in range(workers)]
    chosen = [datasets[number % len(datasets)] for number in range(submissions)]
    ids = asyncio.run(_submit_all(str(client.base_url), chosen))
    ended = history.wait_until_ended(ground, ids)
    results = history.results(ground, ids)
    once = [
        row.id
        for row in ended
        if row.state == "succeeded"
        and results[row.id] == 1
        and len(history.moments(ground, row.id, "running")) == 1
    ]
    for worker in started:
        worker.terminate()
        worker.wait()
    return {
        "submissions": submissions,
        "submitted_jobs": len(set(ids)),
        "submitted_jobs_run_once": len(once),
    }


async def _submit_all(address: str, datasets: list[str]) -> list[str]:
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=_NO_LIMITS) as crowd:
        answers = await asyncio.gather(
            *(
                crowd.post(shop.jobs_path(dataset), json=shop.training(seed=number))
                for number, dataset in enumerate(datasets)
            )
        )
    return [shop.job_id_of(answer) for answer in answers]
