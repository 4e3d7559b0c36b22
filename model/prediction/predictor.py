"""Predicts from an artifact and a log, without torch: NumPy features and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.artifact import Artifact
from model.distributions import Distribution, of_task, served_parameters
from model.errors import UnknownEntity, UnknownTask
from model.evaluation import Report, TaskGraph
from model.events import Entities, EventLog, to_microseconds
from model.prediction.candidates import candidate_pairs
from model.snapshots import Inputs, SnapshotReader, reader_of
from model.snapshots.history import History
from model.tasks import EntityKind, Task

CHUNK_ROWS = 4096


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


class Predictor:
    """A loaded model.

    Args:
        artifact: its files.
        threads: how many threads a forward pass may use; one is best in a server.
    """

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        self.artifact = artifact
        self._kept_reader: SnapshotReader | None = None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._sessions = {
            entity: onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            for entity, content in artifact.networks.items()
        }

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

    def predict(
        self,
        log: EventLog,
        tasks: Sequence[str],
        entity_ids: Sequence[str] | None = None,
        cutoff_at: datetime | None = None,
    ) -> dict[str, Predictions]:
        """Answer tasks of one entity kind for users or items.

        Args:
            log: events; those after the cutoff are not looked at.
            tasks: names, all for users or all for items.
            entity_ids: whom to answer for; None for every entity that the log knows.
            cutoff_at: when; the model's own cutoff by default.

        Raises:
            UnknownTask: a name is not one of the model's tasks.
            UnknownEntity: an id is neither in the log nor in its tables.
        """
        entity = self._entity_of(tasks, ("user", "item"))
        table = log.users if entity == "user" else log.items
        ids = list(table.ids) if entity_ids is None else list(entity_ids)
        codes = _known_codes(table, ids, entity)
        reader, cutoff_us = self._reader(log), self._cutoff_us(cutoff_at)
        read = reader.user_inputs if entity == "user" else reader.item_inputs
        inputs = [read(codes[part], cutoff_us) for part in _chunks(len(codes))]
        cold = _without_events(reader.history(entity), codes, cutoff_us)
        return self._answer(reader, entity, tasks, inputs, ids, None, cold)

    def predict_pairs(
        self,
        log: EventLog,
        tasks: Sequence[str],
        pairs: Sequence[tuple[str, str]],
        cutoff_at: datetime | None = None,
    ) -> dict[str, Predictions]:
        """Answer pair tasks for (user, item) pairs; see `predict`."""
        entity = self._entity_of(tasks, ("pair",))
        user_ids, item_ids = [user for user, _ in pairs], [item for _, item in pairs]
        users = _known_codes(log.users, user_ids, "user")
        items = _known_codes(log.items, item_ids, "item")
        reader, cutoff_us = self._reader(log), self._cutoff_us(cutoff_at)
        inputs = [
            reader.pair_inputs(users[part], items[part], cutoff_us) for part in _chunks(len(users))
        ]
        cold = _without_events(reader.users, users, cutoff_us)
        if not log.has_time:
            # Then the item's other events say as much of a pair as the user's.
            cold &= _without_events(reader.items, items, cutoff_us)
        return self._answer(reader, entity, tasks, inputs, user_ids, item_ids, cold)

    def candidate_pairs(
        self, log: EventLog, cutoff_at: datetime | None = None
    ) -> list[tuple[str, str]]:
        """The pairs worth ranking: each active user with recent and with popular items."""
        reader = self._reader(log)
        users, items = candidate_pairs(
            reader, self._cutoff_us(cutoff_at), self.artifact.description.config.lookback_days
        )
        return list(zip(log.users.ids[users], log.items.ids[items], strict=True))

    def _entity_of(self, tasks: Sequence[str], allowed: Sequence[EntityKind]) -> EntityKind:
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
        # Down to the whole second, as cutoffs are: nothing after the asked moment is seen.
        return to_microseconds(cutoff_at or self.cutoff_at) // 1_000_000 * 1_000_000

    def _reader(self, log: EventLog) -> SnapshotReader:
        """The last log's reader is kept: its indices are dear."""
        kept = self._kept_reader
        if kept is None or kept.log is not log:
            kept = reader_of(log, self.artifact.description.plan)
            self._kept_reader = kept
        return kept

    def _answer(
        self,
        reader: SnapshotReader,
        entity: EntityKind,
        tasks: Sequence[str],
        inputs: Sequence[Inputs],
        entity_ids: list[str],
        item_ids: list[str] | None,
        cold: NDArray[np.bool_],
    ) -> dict[str, Predictions]:
        layout = self.artifact.layout(entity)
        flat = (
            np.concatenate([self._parameters(reader, entity, part) for part in inputs])
            if inputs
            else np.zeros((0, layout.columns), dtype=np.float32)
        )
        flat[cold] = self.artifact.baselines[entity].climatology
        scales = {name: how.scale for name, how in self.artifact.description.serving.items()}
        return {
            name: Predictions(
                task=self.tasks[name],
                entity_ids=entity_ids,
                item_ids=item_ids,
                cold_start=cold,
                distribution=of_task(layout, name, flat, scales),
            )
            for name in tasks
        }

    def _parameters(
        self, reader: SnapshotReader, entity: EntityKind, inputs: Inputs
    ) -> NDArray[np.float32]:
        description = self.artifact.description
        layout = self.artifact.layout(entity)
        session = self._sessions[entity]
        wanted = {node.name for node in session.get_inputs()}
        arrays = reader.arrays(inputs)
        (network,) = session.run(["parameters"], {name: arrays[name] for name in wanted})
        columns = [feature.name for feature in reader.features(entity)]
        naive = {
            task.name: description.seasonal[task.name].log_shares(inputs, columns, reader.log)
            for task in layout.tasks
            if task.name in description.seasonal
        }
        for name, log_shares in naive.items():
            network[:, layout.columns_of(name)] += log_shares
        return served_parameters(
            layout,
            description.serving,
            network,
            naive,
            self.artifact.baselines[entity],
            inputs.numbers,
        )


def _chunks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, CHUNK_ROWS):
        yield slice(start, start + CHUNK_ROWS)


def _without_events(
    history: History, codes: NDArray[np.int64], cutoff_us: int
) -> NDArray[np.bool_]:
    """(R,) who had no event by the cutoff."""
    nothing: NDArray[np.bool_] = (
        history.index.position(codes, cutoff_us) == history.index.offsets[codes]
    )
    return nothing


def _known_codes(table: Entities, ids: Sequence[str], noun: str) -> NDArray[np.int64]:
    codes = table.codes(list(ids)).astype(np.int64)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        raise UnknownEntity(
            f"unknown {noun} {ids[int(unknown[0])]!r}: it is neither in the events nor in the "
            f"{noun}s"
        )
    return codes
