"""Predicts from an artifact and a log, without torch: NumPy features and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.artifact import Artifact
from model.distributions import Distribution
from model.errors import UnknownEntity, UnknownTask
from model.evaluation import Report, TaskGraph
from model.events import Entities, EventLog, to_microseconds
from model.prediction.background import Background
from model.prediction.candidates import candidate_pairs
from model.prediction.conditional import Conditional, Joint
from model.prediction.explanation import Explainer, Explanation
from model.prediction.outcomes import Outcome
from model.prediction.scorer import Scorer
from model.snapshots import Rows, SnapshotReader, reader_of
from model.tasks import EntityKind, Task

CHUNK_ROWS = 512


@dataclass(frozen=True)
class Predictions:
    """One task's answers for N entities at a cutoff.

    Attributes:
        task: what was asked.
        entity_ids: users or items; the users of pairs.
        item_ids: the items of pairs, else None.
        cold_start: (N,) whether nothing was known of the entity but its existence: the answer is
            that of the average entity.
        distribution: of N rows.
    """

    task: Task
    entity_ids: list[str]
    item_ids: list[str] | None
    cold_start: NDArray[np.bool_]
    distribution: Distribution

    @property
    def point(self) -> NDArray[np.float64]:
        """(N,) what a ranking sorts by."""
        return self.distribution.point

    def answers(self) -> list[dict[str, Any]]:
        """One JSON object per entity."""
        return self.distribution.answers()


@dataclass(frozen=True)
class Scores:
    """What is served of R rows of one kind, before it is told task by task.

    Attributes:
        parameters: (R, columns) in the order of the kind's layout.
        is_cold: (R,) see `Predictions.cold_start`.
    """

    parameters: NDArray[np.float32]
    is_cold: NDArray[np.bool_]


class Predictor:
    """A loaded model.

    Args:
        artifact: its files.
        threads: how many threads a forward pass may use; one is best in a server.

    Raises:
        InvalidArtifact: a network cannot be loaded.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self.artifact = artifact
        self._kept_reader: SnapshotReader | None = None
        self._scorers = {kind: Scorer(artifact, kind, threads) for kind in artifact.networks}
        self._conditionals: dict[EntityKind, Conditional] = {}
        self._explainers: dict[EntityKind, Explainer] = {}

    @classmethod
    def load(cls, path: Path, threads: int = 1) -> Predictor:
        """Load a model's folder.

        Raises:
            InvalidArtifact: the files are damaged.
        """
        return cls(Artifact.load(path), threads)

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """What it predicts, by name."""
        by_kind = self.artifact.description.tasks
        return {task.name: task for tasks in by_kind.values() for task in tasks}

    @property
    def report(self) -> Report:
        """Its quality on held-out time."""
        return self.artifact.description.report

    @property
    def task_graph(self) -> TaskGraph:
        """The learned graph of tasks."""
        return self.artifact.description.task_graph

    @property
    def cutoff_at(self) -> datetime:
        """Up to when it knows the log it was trained on."""
        return self.artifact.description.cutoff_at

    def keep_what_answers(self) -> None:
        """Let go of what only `Artifact.save` needs: it takes more memory than what answers."""
        self.artifact = self.artifact.without_networks()

    def scorer(self, kind: EntityKind) -> Scorer:
        """What it says of users, of items or of pairs."""
        return self._scorers[kind]

    def conditional(self, kind: EntityKind) -> Conditional:
        """What it says of users, of items or of pairs when outcomes are known."""
        if kind not in self._conditionals:
            self._conditionals[kind] = Conditional(self.artifact, self.scorer(kind))
        return self._conditionals[kind]

    def explainer(self, kind: EntityKind) -> Explainer:
        """What explains its predictions of users, of items or of pairs."""
        if kind not in self._explainers:
            arrays = self.artifact.background[kind]
            background = Background(self.artifact.description.plan, kind, arrays)
            self._explainers[kind] = Explainer(self.conditional(kind), background)
        return self._explainers[kind]

    def explain(
        self,
        log: EventLog,
        tasks: Sequence[str],
        entity: str | tuple[str, str],
        cutoff_at: datetime | None = None,
        given: Mapping[str, Outcome] | None = None,
    ) -> dict[str, Explanation]:
        """What makes the predictions of some tasks for one user, item or pair; see `predict`."""
        kind = self._kind_of(tasks, ("user", "item", "pair"))
        rows = self._rows(log, kind, [entity], cutoff_at)
        known = self.conditional(kind).given(given or {})
        known.check_asked(tasks)
        return self.explainer(kind).explain(self.reader(log).read(rows), log, tasks, known)

    def reader(self, log: EventLog) -> SnapshotReader:
        """Reads a log as the model sees it; the last log's is kept, since its indices are dear."""
        kept = self._kept_reader
        if kept is None or kept.log is not log:
            kept = reader_of(log, self.artifact.description.plan)
            self._kept_reader = kept
        return kept

    def predict(
        self,
        log: EventLog,
        tasks: Sequence[str],
        entity_ids: Sequence[str] | None = None,
        cutoff_at: datetime | None = None,
        given: Mapping[str, Outcome] | None = None,
    ) -> dict[str, Predictions]:
        """Answer tasks of one entity kind for users or items.

        Args:
            log: events; those after the cutoff are not looked at.
            tasks: names, all for users or all for items.
            entity_ids: whom to answer for; None for every entity that the log knows.
            cutoff_at: when; the model's own cutoff by default.
            given: outcomes that are known of everybody asked for, of other tasks of this kind.

        Raises:
            UnknownTask: a name is not one of the model's tasks.
            UnknownEntity: an id is neither in the log nor in its tables.
            InvalidOutcome: what is given cannot be, or is of a task that is asked.
        """
        kind = self._kind_of(tasks, ("user", "item"))
        table = log.users if kind == "user" else log.items
        ids = list(table.ids) if entity_ids is None else list(entity_ids)
        rows = self._entity_rows(log, kind, ids, cutoff_at)
        return self._answer(log, tasks, rows, ids, None, given or {})

    def predict_pairs(
        self,
        log: EventLog,
        tasks: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        cutoff_at: datetime | None = None,
        given: Mapping[str, Outcome] | None = None,
    ) -> dict[str, Predictions]:
        """Answer pair tasks for (user, item) pairs; see `predict`."""
        self._kind_of(tasks, ("pair",))
        rows = self._pair_rows(log, pairs, cutoff_at)
        user_ids, item_ids = [user for user, _ in pairs], [item for _, item in pairs]
        return self._answer(log, tasks, rows, user_ids, item_ids, given or {})

    def joint(
        self,
        log: EventLog,
        outcomes: Mapping[str, Outcome],
        entities: Sequence[str] | Sequence[tuple[str, str]],
        cutoff_at: datetime | None = None,
        given: Mapping[str, Outcome] | None = None,
    ) -> Joint:
        """How probable outcomes of several tasks are together, for users, items or pairs.

        Args:
            log: events; those after the cutoff are not looked at.
            outcomes: by the names of the tasks, all of one entity kind.
            entities: ids, or (user, item) pairs.
            cutoff_at: when; the model's own cutoff by default.
            given: outcomes that are known of everybody asked for, of further tasks.

        Raises:
            UnknownTask: a name is not one of the model's tasks.
            UnknownEntity: an id is neither in the log nor in its tables.
            InvalidOutcome: an outcome cannot be, alone or beside the others.
        """
        kind = self._kind_of(list(outcomes), ("user", "item", "pair"))
        rows = self._rows(log, kind, entities, cutoff_at)
        conditional = self.conditional(kind)
        scored = conditional.score(self.reader(log).read(rows), log)
        return conditional.joint(scored, outcomes, conditional.given(given or {}))

    def candidate_pairs(
        self, log: EventLog, cutoff_at: datetime | None = None
    ) -> list[tuple[str, str]]:
        """The pairs worth ranking: each active user with recent and with popular items."""
        users, items = self.candidates_of(log, self.active(log, "user", cutoff_at), cutoff_at)
        return list(zip(log.users.ids[users], log.items.ids[items], strict=True))

    def candidates_of(
        self,
        log: EventLog,
        users: NDArray[np.int64],
        cutoff_at: datetime | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs worth ranking of these users, as codes of users and items, user by user."""
        return candidate_pairs(self.reader(log), users, self._cutoff_us(cutoff_at))

    def active(
        self,
        log: EventLog,
        kind: Literal["user", "item"],
        cutoff_at: datetime | None = None,
        within_days: float | None = None,
    ) -> NDArray[np.int64]:
        """Codes of the users or items with an event in the days before a cutoff.

        Without `within_days` in the lookback, as the rows that the model has learned from.
        """
        days = (
            self.artifact.description.config.lookback_days if within_days is None else within_days
        )
        return self.reader(log).active(kind, self._cutoff_us(cutoff_at), days)

    def score(
        self,
        log: EventLog,
        kind: EntityKind,
        users: NDArray[np.int64] | None,
        items: NDArray[np.int64] | None,
        cutoff_at: datetime | None = None,
    ) -> Scores:
        """What all tasks of a kind are answered with, for entities by their codes.

        Args:
            log: events; those after the cutoff are not looked at.
            kind: of the entities.
            users: (R,) codes, None for items.
            items: (R,) codes, None for users.
            cutoff_at: when; the model's own cutoff by default.
        """
        rows = Rows.of(kind, users, items, self._cutoff_us(cutoff_at))
        reader, scorer = self.reader(log), self.scorer(kind)
        flat = np.empty((len(rows), scorer.layout.columns), dtype=np.float32)
        cold = np.empty(len(rows), dtype=bool)
        for part in chunks(len(rows), CHUNK_ROWS):
            read = reader.read(rows.take(part))
            flat[part], cold[part] = scorer.score(read, log), read.is_cold
        return Scores(flat, cold)

    def _rows(
        self,
        log: EventLog,
        kind: EntityKind,
        entities: Sequence[str | tuple[str, str]],
        cutoff_at: datetime | None,
    ) -> Rows:
        if kind == "pair":
            return self._pair_rows(log, entities, cutoff_at)  # type: ignore[arg-type]
        return self._entity_rows(log, kind, entities, cutoff_at)  # type: ignore[arg-type]

    def _entity_rows(
        self, log: EventLog, kind: EntityKind, ids: Sequence[str], cutoff_at: datetime | None
    ) -> Rows:
        codes = _known_codes(log.users if kind == "user" else log.items, ids, kind)
        users, items = (codes, None) if kind == "user" else (None, codes)
        return Rows.of(kind, users, items, self._cutoff_us(cutoff_at))

    def _pair_rows(
        self, log: EventLog, pairs: Sequence[tuple[str, str]], cutoff_at: datetime | None
    ) -> Rows:
        users = _known_codes(log.users, [user for user, _ in pairs], "user")
        items = _known_codes(log.items, [item for _, item in pairs], "item")
        return Rows.of("pair", users, items, self._cutoff_us(cutoff_at))

    def _kind_of(self, tasks: Sequence[str], allowed: Sequence[EntityKind]) -> EntityKind:
        for name in tasks:
            if name not in self.tasks:
                raise UnknownTask(
                    f"the model was not trained on task {name!r}; it knows {sorted(self.tasks)}"
                )
        kinds = {self.tasks[name].entity for name in tasks}
        if len(kinds) != 1 or not kinds <= set(allowed):
            raise UnknownTask(
                f"tasks {list(tasks)} are for {sorted(kinds)}: ask for one kind at a time, "
                f"here {' or '.join(allowed)}"
            )
        return kinds.pop()

    def _cutoff_us(self, cutoff_at: datetime | None) -> int:
        return whole_second(to_microseconds(cutoff_at or self.cutoff_at))

    def _answer(
        self,
        log: EventLog,
        tasks: Sequence[str],
        rows: Rows,
        entity_ids: list[str],
        item_ids: list[str] | None,
        outcomes: Mapping[str, Outcome],
    ) -> dict[str, Predictions]:
        reader, conditional = self.reader(log), self.conditional(rows.kind)
        given = conditional.given(outcomes)
        given.check_asked(tasks)
        flat = np.empty((len(rows), conditional.layout.columns), dtype=np.float32)
        cold = np.empty(len(rows), dtype=bool)
        for part in chunks(len(rows), CHUNK_ROWS):
            read = reader.read(rows.take(part))
            flat[part] = conditional.parameters(conditional.score(read, log), given)
            cold[part] = read.is_cold
        return {
            name: Predictions(
                task=self.tasks[name],
                entity_ids=entity_ids,
                item_ids=item_ids,
                cold_start=cold,
                distribution=conditional.distribution(name, flat, given),
            )
            for name in tasks
        }


def whole_second(time_us: int) -> int:
    """Down to the whole second, as cutoffs are: nothing after the asked moment is seen."""
    return time_us // 1_000_000 * 1_000_000


def chunks(rows: int, size: int) -> Iterator[slice]:
    """So many rows at a time."""
    for start in range(0, rows, size):
        yield slice(start, start + size)


def _known_codes(table: Entities, ids: Sequence[str], noun: str) -> NDArray[np.int64]:
    codes = table.find(ids)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        raise UnknownEntity(
            f"unknown {noun} {ids[int(unknown[0])]!r}: it is neither in the events nor in the "
            f"{noun}s"
        )
    return codes
