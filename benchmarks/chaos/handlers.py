"""Light jobs in the place of trainings, for what needs none."""

from __future__ import annotations

import json
import threading
import time

from sqlalchemy import func, select

from app.db.tables import ModelVersion
from app.db.types import utc_now
from app.worker.job_run import JobRun


def finish_at_once(run: JobRun) -> None:
    """Store a result."""
    with run.storing() as session:
        newest = session.scalar(
            select(func.max(ModelVersion.number)).where(ModelVersion.dataset_id == run.dataset_id)
        )
        version = ModelVersion(
            dataset_id=run.dataset_id,
            number=(newest or 0) + 1,
            job_id=run.job_id,
            artifact_path=f"none/{run.job_id}-{run.run_token}",
            dataset_revision=0,
            cutoff_at=utc_now(),
            tasks=[],
            report={},
            task_graph={},
        )
        session.add(version)
        run.finish(session, {"model_version": version.number})


def scribble(run: JobRun) -> None:
    """Leave traces of every kind, two hundred a second, until a file says that it is enough."""
    number = 0
    while not (run.settings.data_dir / "enough").exists():
        number += 1
        run.checkpoints.save(json.dumps([run.run_token, number]).encode())
        (run.scratch / f"{number % 10}").write_text(str(number))
        run.report("scribble", 0.5, number=number)
        run.log(f"number {number}")
        time.sleep(0.005)
    finish_at_once(run)


def ignore_everything(run: JobRun) -> None:
    """Listen to nobody."""
    run.report("ignore", 0.0)
    threading.Event().wait()


HANDLERS = {
    handler.__name__: f"{handler.__module__}:{handler.__name__}"
    for handler in (finish_at_once, scribble, ignore_everything)
}
