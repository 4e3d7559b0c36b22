"""Shadow reports over HTTP: what another version would have said, and which was right."""

from __future__ import annotations

from datetime import datetime

from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.dependencies import DatasetName, Predictors, SessionFactory
from app.api.model_versions import VersionNumber
from app.db.engine import transaction
from app.domain.datasets import get_dataset
from app.domain.live_reports import known_until
from app.domain.model_versions import get_version, trained_tasks
from app.domain.predictions import Basis
from app.domain.shadow_reports import (
    Compared,
    LoggedTask,
    answering_versions,
    compare,
    logged_of_shadow,
)
from app.errors import Conflict
from model.evaluation import LiveScore

router = APIRouter(tags=["models"], prefix="/datasets/{dataset}/model-versions")


class Comparison(BaseModel):
    """A version that answered and its shadow, on the same predictions."""

    answered_by: int = Field(description="number of the version that answered")
    rows: int = Field(description="predictions whose outcome is known")
    answered: LiveScore
    shadow: LiveScore
    gain_nats: float = Field(description="mean nats by which the shadow is better")
    gain_low: float = Field(description="5% bound of the gain, bootstrap over predictions")
    gain_high: float = Field(description="95% bound of the gain")
    point_difference: float = Field(
        description="mean of the shadow's points less the answered ones"
    )


class ShadowTask(BaseModel):
    """What a version said of a task as the shadow."""

    compared: list[Comparison] = Field(description="empty: no window has passed")
    waiting: int = Field(description="predictions whose window has not passed")
    matures_at: datetime | None = Field(description="when the first of these are compared")


class ShadowReport(BaseModel):
    """A version as the shadow of others."""

    model_version: int = Field(description="the shadow")
    known_until: datetime = Field(description="the dataset's newest event, in whole seconds")
    dropped: int = Field(
        description="requests that this API process could not ask the shadow since it started"
    )
    tasks: dict[str, ShadowTask] = Field(description="empty: nothing is logged")


@router.get(
    "/{number}/shadow-report",
    operation_id="getShadowReport",
    summary="A shadow beside the versions that answered",
)
async def get_shadow_report(
    dataset: DatasetName, number: VersionNumber, sessions: SessionFactory, predicting: Predictors
) -> ShadowReport:
    """Both versions on the same online predictions, once it is known what then happened.

    While the alias `shadow` points to a version, online predictions are also asked of it.
    """
    basis = await predicting.up_to_date(dataset, str(number))
    if not basis.dataset.log.base.has_time:
        raise Conflict(
            f"the events of dataset {dataset!r} have no times: nothing comes after a prediction "
            "that it could be compared with",
            code="no_times",
        )
    logged, numbers = await to_thread.run_sync(_read, basis, sessions)
    others = {
        version: await predicting.basis(dataset, str(other), (), None)
        for version, other in numbers.items()
    }
    tasks = await to_thread.run_sync(_compare, basis, logged, others)
    return ShadowReport(
        model_version=number,
        known_until=known_until(basis.dataset.log.base),
        dropped=predicting.shadow.dropped[basis.dataset.dataset_id],
        tasks=tasks,
    )


def _read(basis: Basis, sessions: SessionFactory) -> tuple[dict[str, LoggedTask], dict[int, int]]:
    until = known_until(basis.dataset.log.base)
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, basis.dataset.name)
        version = get_version(session, row, basis.model.number)
        logged = logged_of_shadow(session, version, trained_tasks(version), until)
        return logged, answering_versions(session, version)


def _compare(
    basis: Basis, logged: dict[str, LoggedTask], others: dict[int, Basis]
) -> dict[str, ShadowTask]:
    return {
        name: ShadowTask(
            compared=[
                _shown(other.model.number, compared)
                for version, other in others.items()
                if (compared := _one(basis, other, name, version, found)) is not None
            ],
            waiting=found.waiting,
            matures_at=found.matures_at,
        )
        for name, found in logged.items()
    }


def _one(basis: Basis, other: Basis, name: str, version: int, found: LoggedTask) -> Compared | None:
    mature = [one for one in found.mature if one.version_id == version]
    if not mature:
        return None
    log, task = basis.dataset.log.base, basis.model.tasks[name]
    return compare(other.model.predictor, basis.model.predictor, log, task, mature)


def _shown(number: int, compared: Compared) -> Comparison:
    return Comparison(
        answered_by=number,
        rows=compared.rows,
        answered=compared.answered,
        shadow=compared.shadowed,
        gain_nats=compared.gain,
        gain_low=compared.gain_low,
        gain_high=compared.gain_high,
        point_difference=compared.point_difference,
    )
