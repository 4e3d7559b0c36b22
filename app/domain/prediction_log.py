"""The log of what was predicted online, and of what the shadow would have said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import ModelVersion, PredictionLog
from app.domain.prediction_chunks import AnswerRows, decode, encode
from app.domain.shadow import Said
from model.events import to_datetime

MAX_ROWS = 20_000
"""Of a task so many logged predictions are looked at, those of the newest cutoffs."""
_ROWS_AT_ONCE = 1_000
_LISTED = 2_000


@dataclass(frozen=True)
class Logged:
    """Predictions of one task at one cutoff, by two versions for the same entities.

    Attributes:
        version_id: of the version that answered.
        shadow_id: of the shadow.
    """

    version_id: int
    shadow_id: int
    task: str
    cutoff_at: datetime
    answered: AnswerRows
    shadowed: AnswerRows


def writer(sessions: sessionmaker[Session]) -> Callable[[Sequence[Said]], None]:
    """What stores what was said, each call in a transaction of its own."""

    def write(said: Sequence[Said]) -> None:
        with transaction(sessions) as session:
            write_log(session, said)

    return write


def write_log(session: Session, said: Sequence[Said]) -> None:
    """Store what was said; of a version that is gone meanwhile nothing."""
    numbers = {one.version for one in said} | {one.shadow for one in said}
    query = select(ModelVersion.dataset_id, ModelVersion.number, ModelVersion.id).where(
        ModelVersion.dataset_id.in_({one.dataset_id for one in said}),
        ModelVersion.number.in_(numbers),
    )
    ids = {(row.dataset_id, row.number): row.id for row in session.execute(query)}
    rows = [
        {
            "dataset_id": one.dataset_id,
            "model_version_id": ids[one.dataset_id, one.version],
            "shadow_version_id": ids[one.dataset_id, one.shadow],
            "task": one.task.name,
            "cutoff_at": to_datetime(one.cutoff_us),
            "rows": len(one.answered),
            "answered": encode(one.answered),
            "shadowed": encode(one.shadowed),
        }
        for one in _together(said)
        if {(one.dataset_id, one.version), (one.dataset_id, one.shadow)} <= ids.keys()
    ]
    if rows:
        session.execute(insert(PredictionLog), rows)


def logged_predictions(
    session: Session, version: ModelVersion, task: str, *, as_shadow: bool, until: datetime
) -> list[Logged]:
    """What was logged of a task up to a cutoff, the newest first, at most `MAX_ROWS` rows.

    Args:
        session: to read in.
        version: whose predictions.
        task: its name.
        as_shadow: what it said as the shadow, not what it answered.
        until: no later cutoff.
    """
    column = PredictionLog.shadow_version_id if as_shadow else PredictionLog.model_version_id
    own = (column == version.id, PredictionLog.task == task, PredictionLog.cutoff_at <= until)
    sizes = select(PredictionLog.id, PredictionLog.rows).where(*own)
    newest = session.execute(
        sizes.order_by(PredictionLog.cutoff_at.desc(), PredictionLog.id.desc()).limit(_LISTED)
    )
    chosen: list[int] = []
    rows = 0
    for one in newest:
        if rows >= MAX_ROWS:
            break
        chosen.append(one.id)
        rows += one.rows
    found = session.scalars(select(PredictionLog).where(PredictionLog.id.in_(chosen)))
    return [
        Logged(
            row.model_version_id,
            row.shadow_version_id,
            row.task,
            row.cutoff_at,
            decode(row.answered),
            decode(row.shadowed),
        )
        for row in found
    ]


def first_pending(
    session: Session, version: ModelVersion, task: str, *, as_shadow: bool, after: datetime
) -> tuple[int, datetime | None]:
    """How many logged predictions of a task are of later cutoffs, and the first of these."""
    column = PredictionLog.shadow_version_id if as_shadow else PredictionLog.model_version_id
    query = select(func.sum(PredictionLog.rows), func.min(PredictionLog.cutoff_at)).where(
        column == version.id, PredictionLog.task == task, PredictionLog.cutoff_at > after
    )
    rows, first = session.execute(query).one()
    return int(rows or 0), first


def remove_logged(session: Session, logged_before: datetime) -> int:
    """Remove a piece of what was logged before this; returns how many, 0 once there is no more."""
    old = select(PredictionLog.id).where(PredictionLog.created_at < logged_before)
    chosen = session.scalars(old.limit(_ROWS_AT_ONCE)).all()
    session.execute(delete(PredictionLog).where(PredictionLog.id.in_(chosen)))
    return len(chosen)


def _together(said: Sequence[Said]) -> Iterable[Said]:
    """What was said of the same task by the same versions at the same moment as one."""
    groups: dict[tuple[int, int, int, str, int], list[Said]] = {}
    for one in said:
        key = (one.dataset_id, one.version, one.shadow, one.task.name, one.cutoff_us)
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        first = group[0]
        yield Said(
            first.dataset_id,
            first.version,
            first.shadow,
            first.task,
            first.cutoff_us,
            AnswerRows.together([one.answered for one in group]),
            AnswerRows.together([one.shadowed for one in group]),
        )
