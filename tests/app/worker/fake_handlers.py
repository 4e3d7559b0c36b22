"""Light handlers that the tests inject in place of the real ones; they run in child processes."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import threading
import time
import warnings
from pathlib import Path

import structlog
from sqlalchemy import func, select

from app.db.tables import ModelVersion
from app.db.types import utc_now
from app.worker.job_run import JobRun
from model.errors import NotEnoughData, Stopped

HANDLERS = {
    name: f"tests.app.worker.fake_handlers:{name}"
    for name in (
        "succeed",
        "refuse",
        "crash",
        "fill_the_disk",
        "stop_once",
        "end_without_result",
        "wait_for_stop",
        "ignore_stop",
        "kill_itself",
        "leave_a_file",
        "report_much",
        "hurry_through_stages",
        "log_in_every_way",
        "finish_when_told",
        "count_on",
        "count_to_hundred",
    )
}


def succeed(run: JobRun) -> None:
    run.report("fit", 0.5, epoch=1, losses={"buys": float("nan"), "spends": 0.25})
    run.log("half way", level="warning", rows=3)
    _store(run)


def refuse(run: JobRun) -> None:
    raise NotEnoughData("5 events are too few: send at least 90 days")


def crash(run: JobRun) -> None:
    raise KeyError("no such column")


def fill_the_disk(run: JobRun) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights.safetensors")


def stop_once(run: JobRun) -> None:
    """The first run is stopped, and nobody wakes it."""
    if run.run_token == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
        threading.Event().wait()
    _store(run)


def end_without_result(run: JobRun) -> None:
    pass


def wait_for_stop(run: JobRun) -> None:
    """Stops when asked to; tells that it runs by a file named after its run."""
    tell(run, "started")
    while not run.should_stop():
        time.sleep(0.01)
    raise Stopped("stopped between two epochs")


def ignore_stop(run: JobRun) -> None:
    tell(run, "started")
    threading.Event().wait()


def kill_itself(run: JobRun) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_a_file(run: JobRun) -> None:
    (run.scratch / "half a model").write_text("...")
    tell(run, "started")
    threading.Event().wait()


def report_much(run: JobRun) -> None:
    for step in range(5000):
        run.report("fit", step / 5000)
    _store(run)


def hurry_through_stages(run: JobRun) -> None:
    run.report("load", 0.0)
    run.log("loaded")
    for step in range(1000):
        run.report("fit", step / 2000)
    run.report("predict", 0.9)
    run.log("predicted")
    run.report("store", 0.97)
    _store(run)


def log_in_every_way(run: JobRun) -> None:
    structlog.get_logger("app.tests").info("from structlog", rows=3)
    logging.getLogger("anybody").warning("from logging: %d", 7)
    warnings.warn("from warnings", stacklevel=1)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("anybody").exception("an accident")
    _store(run)


def finish_when_told(run: JobRun) -> None:
    """Waits for a file, so that a test decides when the result is stored."""
    tell(run, "started")
    while not (run.settings.data_dir / "finish").exists():
        time.sleep(0.01)
    _store(run)
    tell(run, "stored")


def count_on(run: JobRun) -> None:
    """Counts from where the job's last checkpoint stands until a test ends it.

    Each number leaves a checkpoint, a file in the scratch folder and progress, with the run's token
    in all of them.
    """
    start = _last_number(run)
    tell(run, f"from-{start}")
    number = start
    while not (run.settings.data_dir / "finish").exists():
        number += 1
        counted = {"number": number, "by": run.run_token}
        run.checkpoints.save(json.dumps(counted).encode())
        (run.scratch / str(number)).touch()
        run.report("count", 0.5, **counted)
        if number == start + 5:
            tell(run, "counted")
        time.sleep(0.005)
    _store(run)


def count_to_hundred(run: JobRun) -> None:
    """Goes on from the last checkpoint, and tells as soon as it has left one of its own."""
    start = _last_number(run)
    for number in range(start + 1, 101):
        run.checkpoints.save(json.dumps({"number": number}).encode())
        if number == start + 1:
            tell(run, f"counting-{run.job_id}")
        time.sleep(0.02)
    _store(run, started_from=start)


def _last_number(run: JobRun) -> int:
    return next((json.loads(kept)["number"] for kept in run.checkpoints.newest_first()), 0)


def _store(run: JobRun, **told: int) -> None:
    """A row that a second effect of the same job would double."""
    with run.storing() as session:
        newest = session.scalar(select(func.max(ModelVersion.number)))
        version = ModelVersion(
            dataset_id=run.dataset_id,
            number=(newest or 0) + 1,
            job_id=run.job_id,
            artifact_path=str(run.run_token),
            dataset_revision=0,
            cutoff_at=utc_now(),
            tasks=[],
            report={},
            task_graph={},
        )
        session.add(version)
        run.finish(session, {"run_token": run.run_token, **told})


def tell(run: JobRun, what: str) -> None:
    signs = run.settings.data_dir / "signs"
    signs.mkdir(parents=True, exist_ok=True)
    temporary = signs / f".{run.job_id}-{run.run_token}"
    temporary.write_text(str(os.getpid()))
    temporary.replace(Path(signs / f"{what}-{run.run_token}"))
