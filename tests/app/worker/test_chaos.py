"""A few jobs, workers and kills; `benchmarks/job_chaos.py` does the same with real trainings."""

from __future__ import annotations

import os
import random
import signal
from multiprocessing.process import BaseProcess

import pytest

from app.jobs.ending import MAX_LOSSES
from app.jobs.states import TERMINAL
from tests.app.worker.workplace import Workplace, eventually, is_gone

JOBS, WORKERS, KILLS = 6, 2, 4
LEASE_S = 2.0


def strike(
    workplace: Workplace, ids: list[str], workers: list[BaseProcess], rng: random.Random
) -> list[int]:
    """Kill a worker or its child in the middle of a job; the processes that are dead then."""
    for job in map(workplace.job, ids):
        own = [worker for worker in workers if f"-{worker.pid}-" in (job.worker or "")]
        child = workplace.signed(f"counting-{job.id}", job.run_token)
        # A third loss would end the job, as it should.
        if job.state != "running" or job.losses >= MAX_LOSSES - 1 or not own or child is None:
            continue
        if rng.random() < 0.5:
            os.kill(child, signal.SIGKILL)
            return [child]
        own[0].kill()
        own[0].join()
        workers.remove(own[0])
        workers.append(workplace.start_worker(lease_s=LEASE_S))
        return [child]
    return []


@pytest.mark.slow
def test_every_job_succeeds_once_whoever_is_killed(workplace: Workplace) -> None:
    rng = random.Random(0)
    ids = [
        workplace.submit("count_to_hundred", workplace.add_dataset(f"shop-{number}"))
        for number in range(JOBS)
    ]
    workers = [workplace.start_worker(lease_s=LEASE_S) for _ in range(WORKERS)]
    killed: list[int] = []
    while len(killed) < KILLS:
        assert not all(job.state in TERMINAL for job in map(workplace.job, ids)), (
            "too few were killed"
        )
        killed += eventually(lambda: strike(workplace, ids, workers, rng), "a job is running")
    jobs = [workplace.ended(job_id) for job_id in ids]
    assert [job.state for job in jobs] == ["succeeded"] * JOBS
    assert len(workplace.results()) == JOBS
    assert sum(job.losses for job in jobs) <= KILLS
    assert all(job.result["started_from"] > 0 for job in jobs if job.result and job.losses)
    eventually(lambda: all(is_gone(pid) for pid in killed), "nobody who was killed lives on")
    data_dir = workplace.settings.data_dir

    def is_tidy() -> bool:
        left = [*data_dir.glob("datasets/*/checkpoints/*"), *data_dir.glob("runs/*")]
        return not left

    eventually(is_tidy, "no checkpoints and no scratch folders are left")
