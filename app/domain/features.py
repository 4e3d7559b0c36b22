"""The features that the next training of a dataset would use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.db.tables import Dataset
from app.domain.datasets import profile_dataset
from app.domain.predictors import LogSource, ModelCache, log_source_of
from app.domain.tasks import all_tasks, task_of
from app.errors import Conflict
from model.config import Config
from model.errors import InvalidTask, NotEnoughData
from model.events import EventLog
from model.snapshots import Feature, FoldPart, declared_features, final_part, plan_of
from model.tasks import EntityKind, Task, check_tasks, profile_of

KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")


@dataclass(frozen=True)
class FeatureQuestion:
    """What the features follow from.

    Attributes:
        source: where the log is.
        tasks: the declared ones; the periods they ask for are features.
    """

    source: LogSource
    tasks: tuple[Task, ...]


def look_up(session: Session, dataset: Dataset, data_dir: Path) -> FeatureQuestion:
    """What is needed to say what the features are.

    Raises:
        Conflict: the dataset has no events.
    """
    if profile_dataset(session, dataset).event_rows == 0:
        raise Conflict(
            f"dataset {dataset.name!r} has no events, from which features could follow: import "
            "some first",
            code="no_events",
        )
    tasks = tuple(task_of(row) for row in all_tasks(session, dataset))
    return FeatureQuestion(log_source_of(session, dataset, data_dir), tasks)


def features_of(
    question: FeatureQuestion, models: ModelCache, entity: EntityKind | None
) -> list[tuple[EntityKind, Feature]]:
    """The features of one entity kind, or of all, each with its kind.

    Raises:
        Unavailable: the log cannot be read.
    """
    log = models.load_log(question.source)
    tasks = [task for task in question.tasks if _fits(task, log)]
    config = Config()
    plan = plan_of(log, tasks, _learned_from(log, tasks, config), config)
    kinds = KINDS if entity is None else (entity,)
    return [(kind, feature) for kind in kinds for feature in declared_features(plan, kind)]


def _fits(task: Task, log: EventLog) -> bool:
    """Whether the log can give the task's labels; a task may be declared before its events."""
    try:
        check_tasks([task], profile_of(log))
    except InvalidTask:
        return False
    return True


def _learned_from(log: EventLog, tasks: Sequence[Task], config: Config) -> FoldPart:
    """What the served model would learn from; without a task that fits, all of the log."""
    if tasks or not log.has_time:
        try:
            return final_part(log, tasks, config.max_cutoffs)
        except NotEnoughData:
            pass
    return FoldPart((log.last_us,), log.last_us)
