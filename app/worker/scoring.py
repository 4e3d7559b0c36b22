"""The prediction handler: a model version and a dataset's log in, a prediction set out.

It imports no torch. Scored pieces lie in the job's checkpoint folder, so that the next run goes on
after them; the set itself is written anew by each run.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import transaction
from app.db.tables import Dataset, ModelVersion, PredictionSet
from app.domain.prediction_sets import publish_set
from app.errors import NotFound
from app.ingest.index_folder import open_event_log
from app.ingest.manifest import parts_of
from app.worker.answer_spool import AnswerSpool
from app.worker.answering import Answering, Scope
from app.worker.job_run import JobRun
from app.worker.set_writing import OnProgress, SetWriter, score_into
from model.events import EventLog
from model.prediction import Predictor

_LOADED = 0.02  # the share of the run that is over
_SCORED = 0.75


def score(run: JobRun) -> None:
    """Score everybody that is asked for and publish the answers at once.

    Raises:
        SSMTLError: an entity is unknown, the model is damaged, or the job was cancelled.
        NotFound: the dataset or the version was deleted.
    """
    arguments = run.arguments
    run.report("load", 0.0)
    log, artifact = _load(run)
    predictor = Predictor.load(artifact)
    answering = Answering(
        predictor,
        log,
        tuple(arguments["tasks"]),
        datetime.fromisoformat(arguments["as_of"]),
    )
    scope = Scope(arguments["users"], arguments["items"], arguments["active_within_days"])
    if scope.users is not None or scope.items is not None:
        # Nobody else is meant, also where only the other kind is listed.
        scope = Scope(scope.users or (), scope.items or (), scope.active_within_days)
    pieces = answering.pieces(scope)
    spool = AnswerSpool(run.checkpoint_folder, {"pieces": len(pieces), **arguments})
    run.log("scoring begins", pieces=len(pieces), scored_before=len(spool))
    scoring = _share(run, "score", _LOADED, _SCORED)
    threads = run.settings.job_threads or os.cpu_count() or 1  # for a short while
    score_into(spool, answering, pieces, scoring, run.should_stop, threads)
    set_id = SetWriter(answering, pieces, spool, run.fenced).write(
        run.dataset_id,
        run.job_id,
        ranked=arguments["users"] is None and arguments["items"] is None,
        progress=_share(run, "store", _SCORED, 1.0),
        should_stop=run.should_stop,
    )
    with run.storing() as session:
        # Locked, so that sets are published one after the other.
        session.execute(
            select(Dataset.id).where(Dataset.id == run.dataset_id).with_for_update(key_share=True)
        )
        version = _version(session, run)
        prediction_set = session.get_one(PredictionSet, set_id)
        publish_set(session, prediction_set, version)
        run.finish(session, {"prediction_set": set_id, "rows": prediction_set.rows})


def _load(run: JobRun) -> tuple[EventLog, Path]:
    """The log as it was when the job was submitted, so that every run of it sees the same."""
    settings, revision = run.settings, run.arguments["dataset_revision"]
    with transaction(run.session_factory, write=False) as session:
        dataset = session.get(Dataset, run.dataset_id)
        if dataset is None:
            raise NotFound("the dataset was deleted while its prediction job waited")
        parts = parts_of(session, dataset.id, settings.data_dir, revision=revision)
        name, time_zone = dataset.name, dataset.time_zone
        artifact = settings.data_dir / _version(session, run).artifact_path
    log = open_event_log(parts, name, time_zone, settings.index_memory_mb)
    return log, artifact


def _version(session: Session, run: JobRun) -> ModelVersion:
    """The version that answers."""
    number = run.arguments["version"]
    version = session.scalar(
        select(ModelVersion).where(
            ModelVersion.dataset_id == run.dataset_id, ModelVersion.number == number
        )
    )
    if version is None:
        raise NotFound(f"model version {number} was deleted while its prediction job waited")
    return version


def _share(run: JobRun, stage: str, start: float, end: float) -> OnProgress:
    return lambda done: run.report(stage, start + done * (end - start))
