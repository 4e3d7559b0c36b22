"""Do all jobs succeed, each once, while workers and their children are killed at random?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass

import httpx

from app.jobs.ending import MAX_LOSSES
from app.jobs.states import TERMINAL
from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground, child_of
from benchmarks.chaos.scenarios import Figures

_PAUSE_S = (0.5, 5.0)
_LOOK_S = 0.05
_STAGES = (None, "training", "training", "testing", "predict")
"""In which of them the next victim must be; None: in any."""


@dataclass
class _Killer:
    """Kills a worker or its child in the middle of a job; a killed worker is followed by another.

    A job that has lost its worker twice is spared: a third loss ends it, as it should.
    """

    ground: Ground
    ids: list[str]
    workers: list[subprocess.Popen[bytes]]
    rng: random.Random
    killed: int = 0

    def strike(self, stage: str | None) -> bool:
        """Kill one that is in the middle of a job, in this stage of it, if there is one."""
        spared = MAX_LOSSES - 1
        running = [
            row
            for row in history.jobs(self.ground, self.ids)
            if row.state == "running"
            and row.losses < spared
            and stage in (None, row.progress.get("stage"))
        ]
        for row in self.rng.sample(running, len(running)):
            worker = next((w for w in self.workers if f"-{w.pid}-" in (row.worker or "")), None)
            child = child_of(worker.pid) if worker is not None else None
            if worker is None or child is None:
                continue
            if self.rng.random() < 0.5:
                os.kill(child, signal.SIGKILL)
            else:
                worker.kill()
                worker.wait()
                self.workers.remove(worker)
                self.workers.append(self.ground.start_worker())
            self.killed += 1
            return True
        return False


def kill_at_random(
    ground: Ground,
    client: httpx.Client,
    datasets: list[str],
    *,
    workers: int,
    jobs: int,
    kills: int,
    seed: int,
) -> Figures:
    """So many trainings, workers and kills.

    All train the same model, so that those that were interrupted are seen to make it too.
    """
    rng = random.Random(seed)
    started = [ground.start_worker() for _ in range(workers)]
    ids = [shop.submit(client, datasets[n % len(datasets)]) for n in range(jobs)]
    killer = _Killer(ground, ids, started, rng)
    while killer.killed < kills:
        time.sleep(rng.uniform(*_PAUSE_S))
        stage = rng.choice(_STAGES)
        while not killer.strike(stage) and not _all_ended(ground, ids):
            time.sleep(_LOOK_S)
        if _all_ended(ground, ids):
            break
    ended = history.wait_until_ended(ground, ids)
    results = history.results(ground, ids)
    for worker in killer.workers:
        worker.terminate()
        worker.wait()
    return {
        "jobs": len(ids),
        "kills": killer.killed,
        "succeeded": sum(row.state == "succeeded" for row in ended),
        "results": results.total(),
        "duplicated_results": results.total() - len(results),
        "losses": sum(row.losses for row in ended),
        "different_models": len(history.models(ground, ids)),
        "checkpoints_left": len(list(ground.data_dir.glob("datasets/*/checkpoints/*"))),
        "scratch_folders_left": len(list(ground.data_dir.glob("runs/*"))),
    }


def _all_ended(ground: Ground, ids: list[str]) -> bool:
    return all(row.state in TERMINAL for row in history.jobs(ground, ids))
