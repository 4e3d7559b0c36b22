"""What can a worker still do that fell silent and is woken too late?"""

from __future__ import annotations

import shutil
import subprocess
import time

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground, child_of, eventually, is_gone
from benchmarks.chaos.scenarios import Figures

_LONG_LEASE_S = 10.0
"""Of the wake-up: the second run is stopped for a look, and must keep its lease meanwhile."""
_AFTERWARDS_S = 1.0


def wake_too_late(ground: Ground, client: httpx.Client, dataset: str) -> Figures:
    """Worker and child stopped past their lease, woken while another run is in the middle."""
    effects: list[str] = []
    results = 0
    for is_child_stopped in (True, False):
        job_id = shop.submit(client, dataset)
        stopped = ground.start_worker("scribble", lease_s=_LONG_LEASE_S)
        history.wait_until_run(ground, job_id, 1)
        child = _child_of(stopped)
        asleep = (stopped.pid, child) if is_child_stopped else (stopped.pid,)
        ground.stop(*asleep)
        other = ground.start_worker("scribble", lease_s=_LONG_LEASE_S)
        history.wait_until_run(ground, job_id, 2)
        working = _child_of(other)
        ground.stop(other.pid, working)
        before = history.everything(ground, job_id)
        ground.wake(*asleep)
        _wait_until_gone(child)
        time.sleep(_AFTERWARDS_S)
        effects += history.differences(before, history.everything(ground, job_id))
        ground.wake(other.pid, working)
        _finish(ground, job_id)
        results += history.results(ground, [job_id]).total()
        for worker in (stopped, other):
            worker.terminate()
            worker.wait()
    for effect in effects:
        print("effect after the takeover:", effect)
    return {
        "effects_after_takeover": len(effects),
        "wake_ups": 2,
        "results_after_wake_ups": results,
    }


def _child_of(worker: subprocess.Popen[bytes]) -> int:
    return eventually(lambda: child_of(worker.pid), "the worker has a child", 60)


def _wait_until_gone(pid: int | None) -> None:
    eventually(lambda: pid is None or is_gone(pid), "the child is gone", 60)


def _finish(ground: Ground, job_id: str) -> None:
    enough = ground.data_dir / "enough"
    enough.touch()
    history.wait_until_ended(ground, [job_id])
    enough.unlink()
    shutil.rmtree(ground.data_dir / "runs", ignore_errors=True)
