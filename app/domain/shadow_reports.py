"""Two versions beside each other on the same questions, once it is known what then happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import ModelVersion, PredictionLog
from app.domain.live_reports import outturn_of, together
from app.domain.prediction_log import Logged, first_pending, logged_predictions
from model.evaluation import LiveScore
from model.events import EventLog
from model.prediction import Predictor
from model.tasks import Task

RESAMPLES = 500


@dataclass(frozen=True)
class Compared:
    """One task as answered by a version, and as its shadow would have.

    Attributes:
        rows: how many predictions have an outcome.
        answered: of the version that answered.
        shadowed: of the shadow.
        gain: mean nats by which the shadow is better; negative, worse.
        gain_low: 5% bound, bootstrap over predictions.
        gain_high: 95% bound.
        point_difference: mean of the shadow's points less those that were answered.
    """

    rows: int
    answered: LiveScore
    shadowed: LiveScore
    gain: float
    gain_low: float
    gain_high: float
    point_difference: float


@dataclass(frozen=True)
class LoggedTask:
    """What is logged of a task.

    Attributes:
        mature: predictions whose window has passed.
        waiting: how many others there are.
        matures_at: when the first of these does.
    """

    mature: Sequence[Logged]
    waiting: int
    matures_at: datetime | None


def logged_of_shadow(
    session: Session, shadow: ModelVersion, tasks: dict[str, Task], until: datetime
) -> dict[str, LoggedTask]:
    """What is logged of each task that a version was the shadow for.

    Args:
        session: to read in.
        shadow: the version.
        tasks: its own, by name.
        until: up to when the log knows everything.
    """
    found: dict[str, LoggedTask] = {}
    for name, task in tasks.items():
        horizon = timedelta(days=task.end_days)
        mature = logged_predictions(session, shadow, name, as_shadow=True, until=until - horizon)
        waiting, first = first_pending(session, shadow, name, as_shadow=True, after=until - horizon)
        if mature or waiting:
            found[name] = LoggedTask(mature, waiting, None if first is None else first + horizon)
    return found


def answering_versions(session: Session, shadow: ModelVersion) -> dict[int, int]:
    """The numbers of the versions that it was the shadow of, by their ids."""
    logged = select(PredictionLog.model_version_id).where(
        PredictionLog.shadow_version_id == shadow.id
    )
    query = select(ModelVersion.id, ModelVersion.number).where(ModelVersion.id.in_(logged))
    return {row.id: row.number for row in session.execute(query)}


def compare(
    answering: Predictor,
    shadow: Predictor,
    log: EventLog,
    task: Task,
    logged: Sequence[Logged],
) -> Compared | None:
    """Both on the same predictions; None if nobody of them has an outcome.

    Args:
        answering: of the version that answered.
        shadow: of the other one.
        log: all events by now.
        task: of both.
        logged: predictions of both whose window has passed.
    """
    own, cutoffs_us = together(logged, shadowed=False)
    other, _ = together(logged, shadowed=True)
    first = outturn_of(answering, log, task, own, cutoffs_us)
    second = outturn_of(shadow, log, task, other, cutoffs_us)
    if first is None or second is None or len(first) != len(second):
        return None
    kind = task.target.kind
    answered, shadowed = first.score(kind), second.score(kind)
    if answered is None or shadowed is None:
        return None
    gains = first.nll - second.nll
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, size=(RESAMPLES, len(gains)))
    means = (counts @ gains) / np.maximum(counts.sum(axis=1), 1)
    low, high = np.quantile(means, [0.05, 0.95])
    return Compared(
        rows=len(gains),
        answered=answered,
        shadowed=shadowed,
        gain=float(gains.mean()),
        gain_low=float(low),
        gain_high=float(high),
        point_difference=float((other.point - own.point).mean()),
    )
