"""Workers in processes of their own or in threads, and jobs for them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, Job, JobEvent, ModelVersion
from app.jobs.cancel import cancel
from app.jobs.states import TERMINAL
from app.jobs.submit import NewJob, submit
from app.settings import Settings
from app.worker.loop import run_until_signalled, run_worker
from tests.app.worker.fake_handlers import HANDLERS

DEADLINE_S = 60.0
Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], what: str) -> Found:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"after {DEADLINE_S} s still not: {what}")


def is_gone(pid: int) -> bool:
    """Whether no such process runs (a zombie that waits for its parent does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def _can_write(sqlite_url: str) -> bool:
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    except sqlite3.OperationalError:
        return False
    else:
        return True
    finally:
        connection.close()


def hasty(settings: Settings) -> Settings:
    """The same, with waits that tests have time for."""
    return settings.model_copy(update={"poll_s": 0.05})


class Workplace:
    """A database with one dataset, and as many workers as a test starts."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session]) -> None:
        self.settings = settings
        self.sessions = sessions
        self.workers: list[BaseProcess] = []
        self.threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self.dataset_id = self.add_dataset("shop")

    def add_dataset(self, name: str) -> int:
        with transaction(self.sessions) as session:
            dataset = Dataset(name=name, time_zone="UTC", mapping={})
            session.add(dataset)
            session.flush()
            return dataset.id

    def start_worker(self, **update: object) -> BaseProcess:
        """A worker as `ssmtl worker` runs it, perhaps with other settings."""
        settings = self.settings.model_copy(update=update)
        worker = multiprocessing.get_context("spawn").Process(
            target=run_until_signalled, args=(settings,), kwargs={"handlers": HANDLERS}
        )
        worker.start()
        self.workers.append(worker)
        return worker

    def stop(self, pid: int) -> None:
        """Stop a process with SIGSTOP, but not while it holds SQLite's only write lock.

        Nobody could take that from it; a transaction of PostgreSQL ends by itself.
        """

        def stopped() -> bool:
            os.kill(pid, signal.SIGSTOP)
            database = self.settings.resolved_database_url
            if database.startswith("postgresql") or _can_write(database):
                return True
            os.kill(pid, signal.SIGCONT)
            return False

        eventually(stopped, f"process {pid} is stopped outside a transaction")

    def start_worker_thread(self, **update: object) -> None:
        """A worker as `ssmtl serve` embeds it, perhaps with other settings."""
        settings = self.settings.model_copy(update=update)
        thread = threading.Thread(
            target=run_worker, args=(settings, self.stopping), kwargs={"handlers": HANDLERS}
        )
        thread.start()
        self.threads.append(thread)

    def end(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for worker in self.workers:
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, signal.SIGCONT)
                worker.kill()
            worker.join()

    def submit(self, kind: str, dataset_id: int | None = None) -> str:
        new = NewJob(kind, dataset_id or self.dataset_id, arguments={})
        with transaction(self.sessions) as session:
            return submit(session, new).id

    def cancel(self, job_id: str) -> None:
        with transaction(self.sessions) as session:
            cancel(session, job_id)

    def job(self, job_id: str) -> Job:
        with transaction(self.sessions, write=False) as session:
            return session.get_one(Job, job_id)

    def ended(self, job_id: str) -> Job:
        def look() -> Job | None:
            job = self.job(job_id)
            return job if job.state in TERMINAL else None

        return eventually(look, f"job {job_id} has ended")

    def run(self, kind: str) -> Job:
        job_id = self.submit(kind)
        self.start_worker_thread()
        return self.ended(job_id)

    def events(self, job_id: str, kind: str) -> list[dict[str, Any]]:
        query = select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.kind == kind)
        with transaction(self.sessions, write=False) as session:
            return list(session.scalars(query.order_by(JobEvent.id)).all())

    def history(self, job_id: str) -> list[tuple[str, dict[str, Any]]]:
        """All events of a job as (kind, data), in their order."""
        query = select(JobEvent.kind, JobEvent.data).where(JobEvent.job_id == job_id)
        with transaction(self.sessions, write=False) as session:
            return [(kind, data) for kind, data in session.execute(query.order_by(JobEvent.id))]

    def results(self) -> list[int]:
        """Tokens of the runs that stored a result."""
        with transaction(self.sessions, write=False) as session:
            return [int(path) for path in session.scalars(select(ModelVersion.artifact_path))]

    def checkpoint_folder(self, job_id: str) -> Path:
        """That the runs of a job hand on."""
        folder = self.settings.data_dir / "datasets" / str(self.dataset_id)
        return folder / "checkpoints" / job_id

    def newest_number(self, job_id: str) -> int:
        """That the handler `count_on` keeps in its checkpoints."""
        (folder,) = self.checkpoint_folder(job_id).iterdir()
        newest = max(folder.glob("*.checkpoint"))
        number: int = json.loads(newest.read_bytes().splitlines()[-1])["number"]
        return number

    def sign(self, what: str, run_token: int = 1) -> int:
        """Waits until a fake handler says so; the process that said it."""
        return eventually(lambda: self.signed(what, run_token), f"run {run_token} has {what}")

    def signed(self, what: str, run_token: int) -> int | None:
        """The process that has said so, if one has."""
        path = self.settings.data_dir / "signs" / f"{what}-{run_token}"
        return int(path.read_text()) if path.exists() else None
