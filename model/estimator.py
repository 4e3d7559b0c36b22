"""SSMTL in scikit-learn's manner: declare, fit, predict, save, load.

>>> from model import SSMTL, Occurs, Task
>>> from model.simulation import simulate_shop
>>> shop = simulate_shop(users=300, items=60, days=240)
>>> buys = Occurs(event_type="purchase")
>>> task = Task(name="buys_14d", entity="user", target=buys, horizon_days=14)
>>> estimator = SSMTL([task]).fit(shop.events, shop.users, shop.items)
>>> answers = estimator.predict("buys_14d", shop.events, shop.users, shop.items)
>>> list(answers.columns)
['user', 'cold_start', 'probability']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd

from model.checkpoints import Checkpoints, NoCheckpoints
from model.config import Config, ProgressCallback, StopCallback
from model.errors import NotEnoughData
from model.evaluation import Report, TaskGraph
from model.events import EventLog
from model.prediction import Predictions, Predictor
from model.tasks import Task, check_tasks, expand, profile_of

if TYPE_CHECKING:
    from model.artifact import Artifact


class SSMTL:
    """One model for all tasks.

    Args:
        tasks: what to predict, with different names; one with `for_each` is learned as one task
            for each value, see `model.tasks.expand`.
        config: hyperparameters; the defaults need no tuning.
        seed: the same seed, data and machine give the same model.

    Attributes:
        tasks_: what was learned.
        report_: quality per task beside its baselines, on held-out time.
        task_graph_: the learned graph of tasks.
        cutoff_at_: up to when the log was known.
        predictor_: answers without torch.
    """

    def __init__(self, tasks: Sequence[Task], config: Config | None = None, seed: int = 0) -> None:
        names = [task.name for task in tasks]
        if not names:
            raise ValueError("no tasks: declare at least one")
        if len(set(names)) < len(names):
            raise ValueError(f"task names must differ: {sorted(names)}")
        self.tasks = tuple(tasks)
        self.config = config or Config()
        self.seed = seed
        self._artifact: Artifact | None = None

    def fit(
        self,
        events: pd.DataFrame | EventLog,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        *,
        time_zone: str = "UTC",
        progress: ProgressCallback | None = None,
        stop: StopCallback | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Self:
        """Learn from a log; see `EventLog.from_frames` for the columns.

        Args:
            events: the log, as a frame or read already.
            users: attributes of users.
            items: attributes of items.
            time_zone: the shop's.
            progress: is told how far the fit has come.
            stop: is asked often; training ends once it says True.
            checkpoints: what an interrupted fit left, and where this one leaves what it has; the
                same fit goes on from there, to the same model.

        Raises:
            InvalidEvents: the frames are not as asked for.
            InvalidTask: a task does not fit the log.
            NotEnoughData: the log is too short or too small.
            Stopped: `stop` said so.
        """
        from model.training import fit  # torch is imported by fitting alone

        log = as_log(events, users, items, time_zone)
        if not len(log):
            raise NotEnoughData("the log has no events: give some")
        check_tasks(self.tasks, profile_of(log))
        expansion = expand(self.tasks, log)
        artifact = fit(
            log,
            expansion.tasks,
            self.config,
            self.seed,
            progress or (lambda _: None),
            stop or (lambda: False),
            checkpoints or NoCheckpoints(),
        )
        self._artifact = _with_left_out(artifact, expansion.left_out)
        self.predictor_ = Predictor(self._artifact)
        return self

    @property
    def tasks_(self) -> tuple[Task, ...]:
        """What was learned, in the order of declaration; a `for_each` as one task per value."""
        order = {task.name: place for place, task in enumerate(self.tasks)}
        learned = self.predictor_.tasks.values()
        return tuple(sorted(learned, key=lambda task: order[_declared_name(task, order)]))

    @property
    def report_(self) -> Report:
        """Quality per task beside its baselines, on held-out time."""
        return self.predictor_.report

    @property
    def task_graph_(self) -> TaskGraph:
        """The learned graph of tasks."""
        return self.predictor_.task_graph

    @property
    def cutoff_at_(self) -> datetime:
        """Up to when the log was known."""
        return self.predictor_.cutoff_at

    def predict(
        self,
        task: str,
        events: pd.DataFrame | EventLog,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        *,
        entity_ids: Sequence[str] | Sequence[tuple[str, str]] | None = None,
        cutoff_at: datetime | None = None,
        time_zone: str = "UTC",
    ) -> pd.DataFrame:
        """One task's answers, a row per entity.

        Args:
            task: the name of a task.
            events: the log to look back on.
            users: attributes of users.
            items: attributes of items.
            entity_ids: users, items, or (user, item) pairs; all known ones, or the pairs worth
                ranking, by default.
            cutoff_at: when; the end of the training log by default.
            time_zone: the shop's.

        Raises:
            UnknownTask: the model was not trained on it.
            UnknownEntity: an id is not in the frames.
        """
        log = as_log(events, users, items, time_zone)
        predictor = self.predictor_
        if task in predictor.tasks and predictor.tasks[task].entity == "pair":
            pairs = predictor.candidate_pairs(log, cutoff_at) if entity_ids is None else entity_ids
            found = predictor.predict_pairs(log, [task], list(pairs), cutoff_at)  # type: ignore[arg-type]
        else:
            found = predictor.predict(log, [task], entity_ids, cutoff_at)  # type: ignore[arg-type]
        return _frame(found[task])

    def save(self, path: Path) -> None:
        """Write the model into a new folder.

        Raises:
            ValueError: the model is not fitted.
            FileExistsError: the folder is there already.
        """
        if self._artifact is None:
            raise ValueError("nothing to save: fit the model first")
        self._artifact.save(Path(path))

    @classmethod
    def load(cls, path: Path) -> SSMTL:
        """Read a model's folder.

        Raises:
            InvalidArtifact: the files are damaged.
        """
        predictor = Predictor.load(Path(path))
        description = predictor.artifact.description
        loaded = cls(list(predictor.tasks.values()), description.config, description.seed)
        loaded._artifact = predictor.artifact
        loaded.predictor_ = predictor
        return loaded


def as_log(
    events: pd.DataFrame | EventLog,
    users: pd.DataFrame | None,
    items: pd.DataFrame | None,
    time_zone: str,
) -> EventLog:
    """The log itself, or one read from frames."""
    if isinstance(events, EventLog):
        return events
    return EventLog.from_frames(events, users, items, time_zone)


def _declared_name(task: Task, declared: Mapping[str, int]) -> str:
    """What the task was declared as; a model that was loaded has forgotten its `for_each`."""
    if task.name in declared or task.declared_as is None:
        return task.name
    return task.declared_as


def _with_left_out(artifact: Artifact, left_out: Mapping[str, str]) -> Artifact:
    """The same artifact, whose report also says which values got no task, and why."""
    report = artifact.description.report
    report = report.model_copy(update={"left_out": {**left_out, **report.left_out}})
    return replace(artifact, description=artifact.description.model_copy(update={"report": report}))


def _frame(predictions: Predictions) -> pd.DataFrame:
    task = predictions.task
    ids: dict[str, list[str] | None] = (
        {"user": predictions.entity_ids, "item": predictions.item_ids}
        if task.entity == "pair"
        else {task.entity: predictions.entity_ids}
    )
    answers = pd.json_normalize(predictions.answers(), sep="_").drop(
        columns=["kind"], errors="ignore"
    )
    return pd.DataFrame({**ids, "cold_start": predictions.cold_start}).join(answers)
