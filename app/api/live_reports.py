"""Live reports over HTTP: predictions beside what then happened."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.dependencies import DatasetName, Predictors, SessionFactory
from app.api.model_versions import VersionNumber
from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.domain.drift import Drift, drift_of
from app.domain.live_reports import (
    Kept,
    LiveTask,
    Source,
    after_the_fact,
    known_until,
    logged_as_kept,
    stored_predictions,
)
from app.domain.model_versions import get_version, trained_tasks
from app.domain.predictions import Basis
from app.errors import Conflict
from model.evaluation import LiveScore, Report, Score

router = APIRouter(tags=["models"], prefix="/datasets/{dataset}/model-versions")

_PAIRS = (
    "stored pairs are the best ones of each user, the report's are drawn from all: the two skills "
    "are of different rows"
)


class LiveWindow(BaseModel):
    """Predictions whose window has passed: of one moment, or all that are logged."""

    source: Source = Field(description="stored in a prediction set, or logged")
    cutoff_at: datetime = Field(description="when they were made at; of logged ones, the last")
    live: LiveScore | None = Field(description="null: nobody had a label")


class PendingWindow(BaseModel):
    """The predictions of one moment whose window has not passed."""

    source: Source
    cutoff_at: datetime
    matures_at: datetime = Field(description="once the log reaches this, they are compared")


class LiveTaskReport(BaseModel):
    """A task after the fact, beside what the version's report promised."""

    promised: Score | None = Field(
        description="of what answers, on the report's test rows; null: the task was not tested"
    )
    live: LiveScore | None = Field(description="over all windows below; null: none has passed")
    windows: list[LiveWindow] = Field(description="the newest first, twelve at most")
    pending: list[PendingWindow] = Field(description="the first to mature first")
    note: str | None = None


class FeatureDrift(BaseModel):
    """How the active users or items of now are beside the rows of training."""

    rows: int = Field(description="how many were looked at")
    stability_index: dict[str, float] = Field(
        description="population stability index by feature, the largest first: below 0.1 nothing "
        "has changed, above 0.25 much has"
    )


class LiveReport(BaseModel):
    """What a model version predicted beside what then happened."""

    model_version: int
    known_until: datetime = Field(description="the dataset's newest event, in whole seconds")
    tasks: dict[str, LiveTaskReport]
    drift: dict[Literal["user", "item"], FeatureDrift] = Field(
        description="empty: the version was trained before such summaries were kept"
    )


@router.get(
    "/{number}/live-report",
    operation_id="getLiveReport",
    summary="Predictions beside what then happened",
)
async def get_live_report(
    dataset: DatasetName,
    number: VersionNumber,
    sessions: SessionFactory,
    predicting: Predictors,
    task: Annotated[list[str] | None, Query(description="only these tasks")] = None,
) -> LiveReport:
    """Live skill and calibration of each task, beside what the version's report promised.

    Predictions that were stored or logged are compared with the events that came since, once their
    windows have passed. Also, how far the features of now lie from those of training.
    """
    basis = await predicting.up_to_date(dataset, str(number), task or ())
    return await to_thread.run_sync(_report, basis, task, sessions)


def _report(basis: Basis, names: list[str] | None, sessions: SessionFactory) -> LiveReport:
    log, predictor = basis.dataset.log.base, basis.model.predictor
    if not log.has_time:
        raise Conflict(
            f"the events of dataset {basis.dataset.name!r} have no times: nothing comes after a "
            "prediction that it could be compared with",
            code="no_times",
        )
    until = known_until(log)
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, basis.dataset.name)
        version = get_version(session, row, basis.model.number)
        trained = trained_tasks(version)
        wanted = trained if names is None else {name: trained[name] for name in names}
        report = Report.model_validate(version.report)
        kept = [
            *stored_predictions(session, version, wanted, until),
            *logged_as_kept(session, version, wanted, until, as_shadow=False),
            *logged_as_kept(session, version, wanted, until, as_shadow=True),
        ]
    found = after_the_fact(predictor, log, kept)
    return LiveReport(
        model_version=basis.model.number,
        known_until=until,
        tasks={
            name: _task_report(found.get(name), report, name, task.entity == "pair")
            for name, task in wanted.items()
        },
        drift={side: _drift(found) for side, found in drift_of(predictor, log).items()},
    )


def _task_report(
    found: LiveTask | None, report: Report, name: str, is_pair: bool
) -> LiveTaskReport:
    tested = report.tasks.get(name)
    promised = None if tested is None else tested.served_score
    if found is None:
        note = "no predictions of it are kept: POST prediction-jobs stores some"
        return LiveTaskReport(promised=promised, live=None, windows=[], pending=[], note=note)
    return LiveTaskReport(
        promised=promised,
        live=found.score,
        windows=[
            LiveWindow(source=window.source, cutoff_at=window.cutoff_at, live=window.score)
            for window in found.windows
        ],
        pending=[_pending(kept) for kept in found.pending],
        note=_PAIRS if is_pair else None,
    )


def _pending(kept: Kept) -> PendingWindow:
    return PendingWindow(source=kept.source, cutoff_at=kept.cutoff_at, matures_at=kept.matures_at)


def _drift(drift: Drift) -> FeatureDrift:
    return FeatureDrift(rows=drift.rows, stability_index=drift.features)
