"""What the database says has happened to the jobs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Job, JobEvent, ModelVersion
from app.jobs.states import TERMINAL
from benchmarks.chaos.ground import Ground, eventually


def jobs(ground: Ground, ids: Sequence[str]) -> list[Job]:
    """Their rows as they are now."""
    with Session(ground.engine) as session:
        return list(session.scalars(select(Job).where(Job.id.in_(ids))))


def job(ground: Ground, job_id: str) -> Job:
    """One row."""
    return jobs(ground, [job_id])[0]


def wait_until_ended(ground: Ground, ids: Sequence[str]) -> list[Job]:
    """Their rows once all have ended."""

    def look() -> list[Job] | None:
        found = jobs(ground, ids)
        return found if all(one.state in TERMINAL for one in found) else None

    return eventually(look, "all jobs have ended")


def wait_until_stage(ground: Ground, job_id: str, stage: str) -> None:
    """Until a run says that it has come so far."""
    eventually(lambda: job(ground, job_id).progress.get("stage") == stage, f"the stage is {stage}")


def wait_until_run(ground: Ground, job_id: str, run_token: int) -> None:
    """Until this run of the job has begun and told something."""

    def look() -> bool:
        row = job(ground, job_id)
        return row.run_token >= run_token and bool(row.progress)

    eventually(look, f"run {run_token} has begun")


def moments(ground: Ground, job_id: str, state: str) -> list[datetime]:
    """When the job came into this state, each time."""
    return [event.created_at for event in events(ground, job_id) if _state(event) == state]


def events(ground: Ground, job_id: str) -> list[JobEvent]:
    """All that happened to a job."""
    query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id)
    with Session(ground.engine) as session:
        return list(session.scalars(query))


def log_lines(ground: Ground, job_id: str) -> list[str]:
    """What its runs have said."""
    return [event.data["message"] for event in events(ground, job_id) if event.kind == "log"]


def resumed(ground: Ground, job_id: str) -> list[JobEvent]:
    """Where one of its runs went on from a checkpoint."""
    return [
        event
        for event in events(ground, job_id)
        if event.kind == "log" and "going on after" in event.data["message"]
    ]


def checkpoints(ground: Ground, job_id: str) -> list[Path]:
    """Those that lie there now."""
    location = job(ground, job_id).checkpoint
    return [] if location is None else list((ground.data_dir / location).glob("*/*.checkpoint"))


def models(ground: Ground, ids: Sequence[str]) -> set[str]:
    """Digests of the weights that these jobs have made: as many as there are different models."""
    query = select(ModelVersion.artifact_path).where(ModelVersion.job_id.in_(ids))
    with Session(ground.engine) as session:
        folders = [ground.data_dir / path for path in session.scalars(query)]
    weights = [(folder / "weights.safetensors").read_bytes() for folder in folders]
    return {hashlib.sha256(content).hexdigest() for content in weights}


def results(ground: Ground, ids: Sequence[str]) -> Counter[str]:
    """How many model versions each job has made."""
    made = select(ModelVersion.job_id).where(ModelVersion.job_id.in_(ids))
    with Session(ground.engine) as session:
        return Counter(name for name in session.scalars(made) if name is not None)


def everything(ground: Ground, job_id: str) -> dict[str, Any]:
    """The job's row, its events, its results, and every file of the data directory."""
    row = job(ground, job_id)
    facts: dict[str, Any] = {
        f"job.{column.key}": getattr(row, column.key) for column in Job.__table__.columns
    }
    facts |= {f"event.{event.id}": event.data for event in events(ground, job_id)}
    facts |= {f"results.{name}": n for name, n in results(ground, [job_id]).items()}
    for path in ground.data_dir.rglob("*"):
        status = path.stat()
        facts[f"file.{path}"] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return facts


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What was added, removed or changed."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


def _state(event: JobEvent) -> str | None:
    state: str | None = event.data.get("state") if event.kind == "state" else None
    return state
