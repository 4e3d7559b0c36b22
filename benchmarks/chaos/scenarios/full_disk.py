"""The disk is full when a checkpoint is to be written: is the earlier one intact, the job alive?"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.ingest.parts import dataset_folder
from benchmarks.chaos import history, shop
from benchmarks.chaos.ground import Ground, child_of, eventually
from benchmarks.chaos.scenarios import Figures
from model.checkpoints import CheckpointFolder

_SPACE_MB = 32
_FAILURES_SEEN = 3
_FAILED = "no checkpoint was written"


def fill_the_disk(ground: Ground, client: httpx.Client, dataset: str) -> Figures:
    """A worker whose checkpoints lie on a small disk of their own, which is filled.

    One training is in the middle when that happens; later its process is killed, and the next run
    has the earlier checkpoints to go on from. Another training has no space from its beginning.
    """
    job_id = shop.submit(client, dataset, shop.LONG)
    place = _checkpoints_of(ground, history.job(ground, job_id).dataset_id)
    worker = ground.start_worker(small_disk=(place, _SPACE_MB))
    disk = Path(f"/proc/{worker.pid}/root") / place.relative_to("/")  # as the worker sees it
    eventually(lambda: len(_whole(disk)) == 2, "two checkpoints are written")
    with _full(ground, job_id, disk):
        earlier = _digests(disk)
        damaged = 2 - _undamaged(disk)
        failures = len(_told(ground, job_id))
        eventually(
            lambda: len(_told(ground, job_id)) >= failures + _FAILURES_SEEN, "it fails again"
        )
        damaged += len(earlier - _digests(disk))
        child = child_of(worker.pid)
        assert child is not None
        os.kill(child, signal.SIGKILL)
        eventually(lambda: history.resumed(ground, job_id), "the next run goes on")
        shop.cancel(client, job_id)
        history.wait_until_ended(ground, [job_id])
        without = shop.submit(client, dataset)
        (ended,) = history.wait_until_ended(ground, [without])
    worker.terminate()
    worker.wait()
    return {
        "full_disk_failed_writes": len(_told(ground, job_id)),
        "full_disk_checkpoints_damaged": damaged,
        "full_disk_resumed": len(history.resumed(ground, job_id)),
        "full_disk_without_any_succeeded": float(
            ended.state == "succeeded" and bool(_told(ground, without))
        ),
    }


@contextmanager
def _full(ground: Ground, job_id: str, disk: Path) -> Iterator[None]:
    """While inside there is no space left; begins when the job has noticed."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:

        def has_noticed() -> bool:
            try:
                while ballast.write(b"\0" * 4096):
                    pass
            except OSError:  # nothing is left, until a checkpoint is removed
                pass
            return bool(_told(ground, job_id))

        eventually(has_noticed, "the job finds no space for a checkpoint")
        yield


def _checkpoints_of(ground: Ground, dataset_id: int | None) -> Path:
    assert dataset_id is not None
    place = dataset_folder(ground.data_dir, dataset_id) / "checkpoints"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _told(ground: Ground, job_id: str) -> list[str]:
    return [line for line in history.log_lines(ground, job_id) if _FAILED in line]


def _whole(disk: Path) -> list[Path]:
    return sorted(disk.glob("*/*/*.checkpoint"))


def _digests(disk: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in _whole(disk)}


def _undamaged(disk: Path) -> int:
    """How many a later run would take; it is asked of copies, since it tidies up."""
    with tempfile.TemporaryDirectory() as folder:
        for path in _whole(disk):
            shutil.copy(path, folder)
        return len(list(CheckpointFolder(Path(folder), 60).newest_first()))
