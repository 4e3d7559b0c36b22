"""The real retention job, in a child process of a worker that finds it due by itself."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job, JobEvent
from app.db.types import utc_now
from app.settings import Settings
from app.worker.loop import run_worker
from tests.app.declared_shop import declare_shop
from tests.app.worker.workplace import eventually

Sessions = sessionmaker[Session]


@pytest.mark.slow
def test_a_worker_removes_what_is_old_once_per_interval(
    settings: Settings, session_factory: Sessions
) -> None:
    orphan, young = (settings.data_dir / "staging" / name for name in ("killed", "at-work"))
    for folder in (orphan, young):
        folder.mkdir(parents=True)
        (folder / "upload").write_text("user,item")
    future = time.time() + 3600
    os.utime(young / "upload", (future, future))
    with transaction(session_factory) as session:
        add_old_job(session)
    hasty = settings.model_copy(
        update={"poll_s": 0.05, "schedule_check_s": 0.05, "orphan_grace_s": 0.0}
    )
    stopping = threading.Event()
    worker = threading.Thread(
        target=run_worker,
        args=(hasty, stopping),
        kwargs={"handlers": {"retention": "app.worker.retention:clean"}},
    )
    worker.start()

    def look() -> Job | None:
        done = select(Job).where(Job.kind == "retention", Job.finished_at.is_not(None))
        with transaction(session_factory, write=False) as session:
            return session.scalar(done)

    try:
        job = eventually(look, "the retention has run")
    finally:
        stopping.set()
        worker.join()
    assert (job.state, job.error_message) == ("succeeded", None)
    removed = {"events": 1, "jobs": 0, "batches": 0, "predictions": 0, "logged": 0, "files": 1}
    assert job.result == {"removed": removed}
    assert not orphan.exists()
    assert young.exists()
    with transaction(session_factory, write=False) as session:
        assert len(session.scalars(select(Job.id).where(Job.kind == "retention")).all()) == 1


def add_old_job(session: Session) -> None:
    """One that ended a year ago and said something."""
    long_ago = utc_now() - timedelta(days=365)
    job = Job(
        id="old",
        kind="training",
        dataset_id=declare_shop(session).id,
        arguments={},
        fingerprint="",
        state="succeeded",
        finished_at=long_ago,
    )
    session.add(job)
    session.flush()
    session.add(JobEvent(job_id="old", kind="log", data={"level": "info", "message": "x"}))
