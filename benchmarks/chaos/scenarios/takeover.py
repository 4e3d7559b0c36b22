"""What a `kill -9` of a worker costs: how long its job waits, and how much is done again."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx

from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground, child_of, eventually, is_gone
from benchmarks.chaos.scenarios import Figures

_CHECKPOINT_S = 2.0
_CHECKPOINTS_SEEN = 3
_LATE = 0.8
"""A kill comes when this share of the usual time between checkpoints has passed since the last."""


@dataclass
class _Found:
    """In seconds; `repeated` is from the newest checkpoint to the death of the process."""

    takeover: list[float] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)
    between_checkpoints: list[float] = field(default_factory=list)
    at_work_again: list[float] = field(default_factory=list)


def measure_takeovers(
    ground: Ground, client: httpx.Client, dataset: str, repeats: int = 3
) -> Figures:
    """Kill a worker in the middle of a long epoch, just before the next checkpoint is due."""
    found = _Found()
    working = ground.start_worker(checkpoint_s=_CHECKPOINT_S)
    for _ in range(repeats):
        job_id = shop.submit(client, dataset, shop.LONG)
        history.wait_until_stage(ground, job_id, "training")
        waiting = _start_waiting(ground, job_id)
        found.between_checkpoints += _wait_for_the_worst_moment(ground, job_id)
        _kill(ground, job_id, working, found)
        _note_next_run(ground, job_id, found)
        shop.cancel(client, job_id)
        history.wait_until_ended(ground, [job_id])
        working = waiting
    working.terminate()
    working.wait()
    repeatable_s = max(*found.repeated, *found.between_checkpoints)
    return {
        "takeovers": len(found.at_work_again),
        "takeover_s_max": round(max(found.takeover), 2),
        "at_work_again_s_max": round(max(found.at_work_again), 2),
        "checkpoint_interval_s": _CHECKPOINT_S,
        "repeated_work_s_max": round(max(found.repeated), 2),
        "between_checkpoints_s_max": round(max(found.between_checkpoints), 2),
        "repeated_intervals_max": round(repeatable_s / _CHECKPOINT_S, 2),
    }


def _start_waiting(ground: Ground, job_id: str) -> subprocess.Popen[bytes]:
    pulse = ground.data_dir / f"pulse-{job_id}"
    worker = ground.start_worker(checkpoint_s=_CHECKPOINT_S, pulse_file=pulse)
    eventually(pulse.exists, "the second worker waits for a job")
    return worker


def _wait_for_the_worst_moment(ground: Ground, job_id: str) -> list[float]:
    """Returns the times between the checkpoints that were seen."""
    written: dict[Path, float] = {}

    def between() -> list[float]:
        return [later - earlier for earlier, later in pairwise(sorted(written.values()))]

    def is_late() -> bool:
        written.update(_checkpoints(ground, job_id))
        if len(written) <= _CHECKPOINTS_SEEN:
            return False
        age_s = time.time() - max(written.values())
        return age_s >= _LATE * statistics.median(between())

    eventually(is_late, "the next checkpoint is about to be written", pause_s=0.005)
    return between()


def _kill(ground: Ground, job_id: str, worker: subprocess.Popen[bytes], found: _Found) -> None:
    child = child_of(worker.pid)
    assert child is not None
    killed_at = datetime.now(UTC)
    worker.kill()
    worker.wait()
    eventually(lambda: is_gone(child), "the child is gone with its worker", pause_s=0.005)
    newest = max(mtime for _, mtime in _checkpoints(ground, job_id))
    found.repeated.append(time.time() - newest)
    eventually(lambda: history.job(ground, job_id).run_token == 2, "the job is taken over")
    taken_at = history.moments(ground, job_id, "running")[1]
    found.takeover.append((taken_at - killed_at).total_seconds())


def _note_next_run(ground: Ground, job_id: str, found: _Found) -> None:
    """Wait until the next run trains again, from that checkpoint and not from the beginning."""
    eventually(lambda: history.resumed(ground, job_id), "the next run goes on")
    began_at = history.moments(ground, job_id, "running")[1]
    going_on_at = history.resumed(ground, job_id)[0].created_at
    found.at_work_again.append((going_on_at - began_at).total_seconds())


def _checkpoints(ground: Ground, job_id: str) -> Iterator[tuple[Path, float]]:
    """Whole checkpoints by name, with when they were written; they move from run to run."""
    for path in history.checkpoints(ground, job_id):
        try:
            yield Path(path.name), path.stat().st_mtime
        except FileNotFoundError:  # the third newest has just been removed
            continue
