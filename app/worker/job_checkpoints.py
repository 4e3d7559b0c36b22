"""The folder with a job's checkpoints, handed from run to run.

    datasets/<id>/checkpoints/<job>/<run token>/

Whoever takes a job over renames the folder to its own run token, while it holds the job's row. A
process that had the job before and wakes up finds its folder gone: it can write no file any more.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Job
from app.ingest.parts import dataset_folder
from app.jobs.lease import Run, lock_run
from app.settings import Settings


def take_checkpoints(sessions: sessionmaker[Session], settings: Settings, run: Run) -> Path:
    """The run's folder, with what earlier runs of the job have left.

    Raises:
        RunLost: another run has the job.
    """
    assert run.dataset_id is not None
    home = _home(settings, run.dataset_id, run.job_id)
    mine = home / str(run.run_token)
    with transaction(sessions) as session:
        job = lock_run(session, run)
        home.mkdir(parents=True, exist_ok=True)
        earlier = sorted(home.iterdir(), key=lambda folder: int(folder.name))
        if earlier:
            earlier[-1].rename(mine)
        else:
            mine.mkdir()
        for older in earlier[:-1]:
            shutil.rmtree(older, ignore_errors=True)
        job.checkpoint = str(home.relative_to(settings.data_dir))
    return mine


def remove_checkpoints(settings: Settings, job: Job) -> None:
    """Remove what is left of a job that has ended."""
    if job.dataset_id is not None:
        home = _home(settings, job.dataset_id, job.id)
        shutil.rmtree(home, ignore_errors=True)


def _home(settings: Settings, dataset_id: int, job_id: str) -> Path:
    return dataset_folder(settings.data_dir, dataset_id) / "checkpoints" / job_id
