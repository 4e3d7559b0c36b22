"""The training handler: the dataset's log and the frozen tasks in, a model version out.

The artifact is written in the run's scratch folder and moved to its place in the transaction that
publishes it, as the last thing before the commit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.db.engine import transaction
from app.db.tables import Dataset, PredictionSet
from app.domain.model_versions import publish
from app.errors import NotFound
from app.ingest.index_folder import open_event_log
from app.ingest.manifest import parts_of
from app.ingest.parts import dataset_folder
from app.jobs.lease import state_of
from app.jobs.states import JobState
from app.worker.answer_spool import AnswerSpool
from app.worker.answering import Answering, Scope
from app.worker.job_run import JobRun
from app.worker.set_writing import OnProgress, SetWriter, score_into
from model import SSMTL, Config, Progress, Task
from model.events import EventLog

_FITTED = 0.9  # the share of the run that is over when the model is fitted
_ANSWERED = 0.97


def train(run: JobRun) -> None:
    """Train one model for all tasks of the job and publish it.

    Raises:
        SSMTLError: the log does not fit the tasks, or the job was cancelled.
    """
    tasks = [Task.model_validate(task) for task in run.arguments["tasks"]]
    _use_threads(run)
    run.report("load", 0.0)
    log = _load(run)
    run.log("events loaded", events=len(log), users=len(log.users), items=len(log.items))
    config = Config.model_validate(run.arguments["config"])
    estimator = SSMTL(tasks, config, seed=run.arguments["seed"])
    estimator.fit(
        log,
        progress=lambda told: _report(run, told),
        stop=run.should_stop,
        checkpoints=run.checkpoints,
    )
    _save_and_publish(run, estimator, log)


def _save_and_publish(run: JobRun, estimator: SSMTL, log: EventLog) -> None:
    scratch = run.scratch / "artifact"
    estimator.save(scratch)
    set_id = _answer_everybody(run, estimator, log)
    folder = dataset_folder(run.settings.data_dir, run.dataset_id) / "models"
    artifact = folder / f"{run.job_id}-{run.run_token}"  # no other run ever writes there
    with _kept_on_success(run, artifact), run.storing() as session:
        version = publish(
            session,
            dataset_id=run.dataset_id,
            job_id=run.job_id,
            artifact_path=str(artifact.relative_to(run.settings.data_dir)),
            dataset_revision=run.arguments["dataset_revision"],
            estimator_report=estimator.report_.model_dump(mode="json"),
            task_graph=estimator.task_graph_.model_dump(mode="json"),
            tasks=[task.model_dump(mode="json") for task in estimator.tasks_],
            cutoff_at=estimator.cutoff_at_,
            prediction_set=session.get_one(PredictionSet, set_id),
        )
        run.finish(session, {"model_version": version.number})
        folder.mkdir(parents=True, exist_ok=True)
        scratch.replace(artifact)


def _answer_everybody(run: JobRun, estimator: SSMTL, log: EventLog) -> int:
    """What the model says at its cutoff, written out of sight; returns the id of the set."""
    names = tuple(estimator.predictor_.tasks)
    answering = Answering(estimator.predictor_, log, names, estimator.cutoff_at_)
    pieces = answering.pieces(Scope())
    folder = run.scratch / "answers"
    folder.mkdir()
    spool = AnswerSpool(folder, {})

    def progress(stage: str, start: float, end: float) -> OnProgress:
        return lambda done: run.report(stage, start + done * (end - start))

    predicting = progress("predict", _FITTED, _ANSWERED)
    score_into(spool, answering, pieces, predicting, run.should_stop)
    return SetWriter(answering, pieces, spool, run.fenced).write(
        run.dataset_id,
        run.job_id,
        ranked=True,
        progress=progress("store", _ANSWERED, 1.0),
        should_stop=run.should_stop,
    )


def _use_threads(run: JobRun) -> None:
    import torch

    torch.set_num_threads(run.settings.job_threads or max(1, (os.cpu_count() or 1) - 1))


def _load(run: JobRun) -> EventLog:
    """The log as it was when the job was submitted, so that every run of it sees the same."""
    revision = run.arguments["dataset_revision"]
    with transaction(run.session_factory, write=False) as session:
        dataset = session.get(Dataset, run.dataset_id)
        if dataset is None:
            raise NotFound("the dataset was deleted while its training waited")
        parts = parts_of(session, dataset.id, run.settings.data_dir, revision=revision)
        name, time_zone = dataset.name, dataset.time_zone
    return open_event_log(parts, name, time_zone, run.settings.index_memory_mb)


def _report(run: JobRun, told: Progress) -> None:
    details = {"epoch": told.epoch, "losses": told.losses}
    run.report(told.stage, _FITTED * told.fraction, **details)


@contextmanager
def _kept_on_success(run: JobRun, artifact: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with transaction(run.session_factory, write=False) as session:
            # A commit whose answer was lost may have gone through all the same.
            stored = state_of(session, run.run) == JobState.SUCCEEDED
        if not stored:
            shutil.rmtree(artifact, ignore_errors=True)
        raise
