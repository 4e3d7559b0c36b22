"""SSMTL in scikit-learn's manner: declare, fit, predict, save, load.

>>> from model import SSMTL, Occurs, Task
>>> from model.events import EventLog
>>> from model.simulation import simulate_shop
>>> shop = simulate_shop(users=300, items=60, days=240)
>>> buys = Occurs(event_type="purchase")
>>> tasks = [
...     Task(name="buys_14d", entity="user", target=buys, horizon_days=14),
...     Task(name="buys_28d", entity="user", target=buys, horizon_days=28),
... ]
>>> estimator = SSMTL(tasks).fit(shop.events, shop.users, shop.items)
>>> answers = estimator.predict("buys_14d", shop.events, shop.users, shop.items)
>>> list(answers.columns)
['user', 'cold_start', 'probability']

Where outcomes of some tasks are known, the others are predicted given them:

>>> log = EventLog.from_frames(shop.events, shop.users, shop.items)
>>> given = estimator.predict("buys_28d", log, given={"buys_14d": True})
>>> bool((given["probability"] == 1).all())
True
>>> joint = estimator.joint({"buys_14d": False, "buys_28d": True}, log)
>>> bool((joint["log_probability"] < 0).all())
True

A prediction is the average one and what each group of inputs adds to it:

>>> why = estimator.explain("buys_14d", log, entity=answers["user"][0])
>>> list(why.columns)
['part', 'contribution']
>>> bool(abs(why["contribution"].sum() - answers["probability"][0]) < 1e-5)
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import model.lazy_pandas as pd
from model.checkpoints import Checkpoints, NoCheckpoints
from model.config import Config, ProgressCallback, StopCallback
from model.errors import NotEnoughData
from model.evaluation import Report, TaskGraph
from model.events import EventLog
from model.prediction import Outcome, Predictions, Predictor
from model.tasks import EntityKind, Task, check_tasks, expand, profile_of

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
        given: Mapping[str, Outcome] | None = None,
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
            given: outcomes that are known of everybody asked for, of other tasks of the same
                entity kind: True or False for `occurs`; a count, a sum or a number; days for
                `time_to`, None where it does not come within the horizon.

        Raises:
            UnknownTask: the model was not trained on it.
            UnknownEntity: an id is not in the frames.
            InvalidOutcome: what is given cannot be, or is of the task that is asked.
        """
        log = as_log(events, users, items, time_zone)
        entities = self._entities(task, log, entity_ids, cutoff_at)
        predictor = self.predictor_
        if task in predictor.tasks and predictor.tasks[task].entity == "pair":
            found = predictor.predict_pairs(log, [task], entities, cutoff_at, given)
        else:
            found = predictor.predict(log, [task], entities, cutoff_at, given)
        return _frame(found[task])

    def joint(
        self,
        outcomes: Mapping[str, Outcome],
        events: pd.DataFrame | EventLog,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        *,
        entity_ids: Sequence[str] | Sequence[tuple[str, str]] | None = None,
        cutoff_at: datetime | None = None,
        time_zone: str = "UTC",
        given: Mapping[str, Outcome] | None = None,
    ) -> pd.DataFrame:
        """How probable outcomes of several tasks are together, a row per entity.

        `log_probability` is that of the chain rule in the order in which the tasks' windows end, in
        nats, with a density per unit for sums, numbers and days. It is a composite likelihood: the
        opposite order may give another one, `reversed_log_probability`. The tasks' own predictions
        multiplied give `independent_log_probability`.

        Args:
            outcomes: by the names of the tasks, all of one entity kind; see `predict`.
            events: the log to look back on.
            users: attributes of users.
            items: attributes of items.
            entity_ids: see `predict`.
            cutoff_at: when; the end of the training log by default.
            time_zone: the shop's.
            given: outcomes that are known of everybody asked for, of further tasks.

        Raises:
            UnknownTask: the model was not trained on one.
            UnknownEntity: an id is not in the frames.
            InvalidOutcome: an outcome cannot be, alone or beside the others.
        """
        log = as_log(events, users, items, time_zone)
        first = next(iter(outcomes), "")
        entities = self._entities(first, log, entity_ids, cutoff_at)
        joint = self.predictor_.joint(log, outcomes, entities, cutoff_at, given)
        return pd.DataFrame(
            {
                **_id_columns(self.predictor_.tasks[first].entity, entities),
                "log_probability": joint.log_probability,
                "reversed_log_probability": joint.reversed_log_probability,
                "independent_log_probability": joint.independent_log_probability,
            }
        )

    def explain(
        self,
        task: str,
        events: pd.DataFrame | EventLog,
        users: pd.DataFrame | None = None,
        items: pd.DataFrame | None = None,
        *,
        entity: str | tuple[str, str],
        cutoff_at: datetime | None = None,
        time_zone: str = "UTC",
        given: Mapping[str, Outcome] | None = None,
    ) -> pd.DataFrame:
        """What makes a prediction: the `average` one, and what is added to it, a row for each part.

        The parts are groups of inputs and, as `given <task>`, known outcomes; all of them together
        are the prediction, in the task's unit: a probability (of a best period or class: its own),
        what is counted, money, days.

        Args:
            task: the name of a task.
            events: the log to look back on.
            users: attributes of users.
            items: attributes of items.
            entity: a user, an item, or a (user, item) pair.
            cutoff_at: when; the end of the training log by default.
            time_zone: the shop's.
            given: see `predict`.

        Raises:
            UnknownTask: the model was not trained on it.
            UnknownEntity: the id is not in the frames.
            InvalidOutcome: what is given cannot be, or is of the task that is asked.
        """
        log = as_log(events, users, items, time_zone)
        found = self.predictor_.explain(log, [task], entity, cutoff_at, given)[task]
        parts = {
            "average": found.average,
            **found.groups,
            **{f"given {name}": value for name, value in found.evidence.items()},
        }
        return pd.DataFrame({"part": list(parts), "contribution": list(parts.values())})

    def _entities(
        self,
        task: str,
        log: EventLog,
        entity_ids: Sequence[str] | Sequence[tuple[str, str]] | None,
        cutoff_at: datetime | None,
    ) -> list[Any]:
        """Whom a task is asked for: all that are known, or the pairs worth ranking, by default."""
        if entity_ids is not None:
            return list(entity_ids)
        entity = self.predictor_.tasks[task].entity if task in self.predictor_.tasks else "user"
        if entity == "pair":
            return self.predictor_.candidate_pairs(log, cutoff_at)
        return list(log.users.ids if entity == "user" else log.items.ids)

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
    entities = (
        predictions.entity_ids
        if predictions.item_ids is None
        else list(zip(predictions.entity_ids, predictions.item_ids, strict=True))
    )
    answers = pd.json_normalize(predictions.answers(), sep="_").drop(
        columns=["kind"], errors="ignore"
    )
    ids = _id_columns(predictions.task.entity, entities)
    return pd.DataFrame({**ids, "cold_start": predictions.cold_start}).join(answers)


def _id_columns(entity: EntityKind, entities: Sequence[Any]) -> dict[str, list[str]]:
    if entity == "pair":
        return {"user": [user for user, _ in entities], "item": [item for _, item in entities]}
    return {entity: list(entities)}
