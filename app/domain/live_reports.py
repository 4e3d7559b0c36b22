"""What a model version predicted beside what then happened.

Predictions are looked at once the dataset's log reaches beyond the end of their windows. Labels
come from the same code as those of training, and rows are of whom the version was tested on:
entities that were active before the cutoff.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.db.tables import ModelVersion
from app.domain.prediction_chunks import AnswerRows
from app.domain.prediction_log import Logged, first_pending, logged_predictions
from app.domain.prediction_sets import SetTask, read_rows, sets_of_version, tasks_of_set
from model.distributions import Distribution
from model.evaluation import LiveScore, Outturn
from model.events import MICROSECONDS_PER_DAY, EventLog, to_datetime, to_microseconds
from model.prediction import Predictor
from model.snapshots import Rows, watermark_us
from model.snapshots.snapshot import labels_of
from model.tasks import Task

MAX_ROWS = 20_000
"""Of one task at one cutoff so many rows are looked at, evenly spaced in the order of points."""
MAX_WINDOWS = 12
"""So many of the newest windows of a task are looked at."""

Source = Literal["stored", "logged"]


@dataclass(frozen=True)
class Kept:
    """Some predictions of one task that were kept.

    Attributes:
        source: how.
        cutoff_at: when they were made at.
        described: the task, and how its rows are read.
        rows: None where they have not been read.
        cutoffs_us: of the rows, where they differ; then `cutoff_at` is the last.
    """

    source: Source
    cutoff_at: datetime
    task: Task
    rows: AnswerRows | None = None
    cutoffs_us: NDArray[np.int64] | None = None

    @property
    def row_cutoffs_us(self) -> NDArray[np.int64]:
        """(R,) when each row was made at."""
        if self.cutoffs_us is not None:
            return self.cutoffs_us
        return np.full(len(self.rows or ()), to_microseconds(self.cutoff_at), dtype=np.int64)

    @property
    def matures_at(self) -> datetime:
        """When the window of its labels ends."""
        return self.cutoff_at + timedelta(days=self.task.end_days)


@dataclass(frozen=True)
class Window:
    """How the predictions of one cutoff turned out; without a score nobody had a label."""

    source: Source
    cutoff_at: datetime
    score: LiveScore | None


@dataclass(frozen=True)
class LiveTask:
    """One task after the fact.

    Attributes:
        score: over all windows.
        windows: the newest first.
        pending: predictions whose window has not passed, the first to mature first.
    """

    score: LiveScore | None
    windows: Sequence[Window]
    pending: Sequence[Kept]


def stored_predictions(
    session: Session, version: ModelVersion, trained: dict[str, Task], until: datetime
) -> list[Kept]:
    """What the version's prediction sets have, the newest first; rows where the window has passed.

    Args:
        session: to read them in.
        version: whose.
        trained: the version's tasks.
        until: up to when the log knows everything.
    """
    found: list[Kept] = []
    read: dict[str, int] = {}
    for stored in sets_of_version(session, version):
        for name, described in tasks_of_set(session, stored, trained).items():
            kept = Kept("stored", stored.cutoff_at, described.task)
            if kept.matures_at <= until:
                read[name] = read.get(name, 0) + 1
                if read[name] > MAX_WINDOWS:
                    continue
                kept = replace(kept, rows=_some_rows(session, described))
            found.append(kept)
    return found


def logged_as_kept(
    session: Session,
    version: ModelVersion,
    trained: dict[str, Task],
    until: datetime,
    *,
    as_shadow: bool,
) -> list[Kept]:
    """What the version said online, as the one that answered or as the shadow.

    Args:
        session: to read in.
        version: whose.
        trained: the version's tasks.
        until: up to when the log knows everything.
        as_shadow: what it said as the shadow.
    """
    found: list[Kept] = []
    for name, task in trained.items():
        mature = until - timedelta(days=task.end_days)
        logged = logged_predictions(session, version, name, as_shadow=as_shadow, until=mature)
        if logged:
            rows, cutoffs_us = together(logged, shadowed=as_shadow)
            last = max(one.cutoff_at for one in logged)
            found.append(Kept("logged", last, task, rows, cutoffs_us))
        count, first = first_pending(session, version, name, as_shadow=as_shadow, after=mature)
        if count and first is not None:
            found.append(Kept("logged", first, task))
    return found


def together(logged: Sequence[Logged], *, shadowed: bool) -> tuple[AnswerRows, NDArray[np.int64]]:
    """All rows that were logged, and when each was made at."""
    rows = AnswerRows.together([one.shadowed if shadowed else one.answered for one in logged])
    cutoffs_us = np.repeat(
        [to_microseconds(one.cutoff_at) for one in logged], [len(one.answered) for one in logged]
    )
    return rows, cutoffs_us


def after_the_fact(
    predictor: Predictor, log: EventLog, kept: Iterable[Kept]
) -> dict[str, LiveTask]:
    """Each task's predictions beside what happened, by the task's name.

    Args:
        predictor: the version's model.
        log: all events by now.
        kept: predictions of the version.
    """
    by_task: dict[str, list[Kept]] = {}
    for one in kept:
        by_task.setdefault(one.task.name, []).append(one)
    return {name: _live_task(predictor, log, own) for name, own in by_task.items()}


def known_until(log: EventLog) -> datetime:
    """Up to when the log knows everything."""
    return to_datetime(watermark_us(log))


def _live_task(predictor: Predictor, log: EventLog, kept: Sequence[Kept]) -> LiveTask:
    kind = kept[0].task.target.kind
    windows: list[Window] = []
    outturns: list[Outturn] = []
    for one in sorted(kept, key=lambda one: one.cutoff_at, reverse=True):
        if one.rows is None:
            continue
        outturn = outturn_of(predictor, log, one.task, one.rows, one.row_cutoffs_us)
        score = None
        if outturn is not None:
            outturns.append(outturn)
            score = outturn.score(kind)
        windows.append(Window(one.source, one.cutoff_at, score))
    pending = [one for one in kept if one.rows is None]
    return LiveTask(
        score=Outturn.together(outturns).score(kind) if outturns else None,
        windows=windows,
        pending=sorted(pending, key=lambda one: one.matures_at),
    )


def outturn_of(
    predictor: Predictor,
    log: EventLog,
    task: Task,
    rows: AnswerRows,
    cutoffs_us: NDArray[np.int64],
) -> Outturn | None:
    """How some predictions turned out, of whom was active before; None if nobody was.

    Args:
        predictor: of the version that made them.
        log: all events by now, which reach beyond the windows.
        task: what was predicted.
        rows: R predictions.
        cutoffs_us: (R,) when each was made at.
    """
    asked, at = _active_rows(predictor, log, task, rows, cutoffs_us)
    if not len(at):
        return None
    assert rows.parameters is not None
    layout = predictor.artifact.layout(task.entity)
    scale = predictor.artifact.description.serving[task.name].scale
    classes = layout.classes.get(task.name, ())
    parameters = rows.parameters[at].astype(np.float64)
    reader = predictor.reader(log)
    labels = labels_of(reader, task.entity, asked, watermark_us(log)).of(task)
    climatology = predictor.artifact.baselines[task.entity].climatology
    return Outturn.of(
        Distribution(task, parameters, scale, classes),
        layout.group(task.name),
        climatology[layout.columns_of(task.name)],
        labels,
    )


def _active_rows(
    predictor: Predictor,
    log: EventLog,
    task: Task,
    rows: AnswerRows,
    cutoffs_us: NDArray[np.int64],
) -> tuple[Rows, NDArray[np.int64]]:
    """The rows of who was active, in the codes of the log, and where they stand."""
    side: Literal["user", "item"] = "item" if task.entity == "item" else "user"
    table = log.items if side == "item" else log.users
    codes = table.find(rows.entity_ids.to_pylist())
    items = None if rows.item_ids is None else log.items.find(rows.item_ids.to_pylist())
    known = codes >= 0 if items is None else (codes >= 0) & (items >= 0)
    at = np.flatnonzero(known)
    days = predictor.artifact.description.config.lookback_days
    index = predictor.reader(log).history(side).index
    since_us = cutoffs_us[at] - int(days * MICROSECONDS_PER_DAY)
    at = at[index.position(codes[at], cutoffs_us[at]) > index.position(codes[at], since_us)]
    nobody = np.full(len(at), -1, dtype=np.int64)
    own = codes[at].astype(np.int64)
    return Rows(
        kind=task.entity,
        users=nobody if side == "item" else own,
        items=own if side == "item" else nobody if items is None else items[at],
        cutoffs_us=cutoffs_us[at],
    ), at


def _some_rows(session: Session, described: SetTask) -> AnswerRows | None:
    """Evenly spaced; None where the parameters are not known any more, or nobody is in it."""
    step = -(-described.rows // MAX_ROWS)
    parts: list[AnswerRows] = []
    first = 0
    for rows in read_rows(session, described.set_id, described.task.name, 0, described.rows):
        if rows.parameters is None:
            return None
        parts.append(rows.every(step, first))
        first = (first - len(rows)) % step
    return AnswerRows.together(parts) if parts else None
