"""Models in memory: a few at a time, each loaded once however many requests ask for it first."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
from sqlalchemy.orm import Session

from app.db.tables import Dataset, ModelVersion
from app.domain.model_versions import trained_tasks
from app.errors import Unavailable
from app.ingest.index_folder import open_event_log
from app.ingest.manifest import parts_of
from app.ingest.parts import PartFile
from model.errors import InvalidArtifact, InvalidIndex
from model.events import EventLog
from model.prediction import Predictor
from model.tasks import Task

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class LogSource:
    """Where a dataset's log is, as of one revision of the dataset."""

    dataset_id: int
    dataset_name: str
    dataset_revision: int
    time_zone: str
    parts: tuple[PartFile, ...]


@dataclass(frozen=True, kw_only=True)
class ModelSource(LogSource):
    """Where a version's files and its dataset's log are, and what the version predicts."""

    version: int
    artifact: Path
    tasks: Mapping[str, Task]


def source_of(
    session: Session, dataset: Dataset, version: ModelVersion, data_dir: Path
) -> ModelSource:
    """What is needed to load a version's model."""
    return ModelSource(
        version=version.number,
        artifact=data_dir / version.artifact_path,
        tasks=trained_tasks(version),
        **vars(log_source_of(session, dataset, data_dir)),
    )


def log_source_of(session: Session, dataset: Dataset, data_dir: Path) -> LogSource:
    """What is needed to load a dataset's log."""
    return LogSource(
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        dataset_revision=dataset.revision,
        time_zone=dataset.time_zone,
        parts=tuple(parts_of(session, dataset.id, data_dir)),
    )


class LoadOnce(Generic[Value]):
    """A bounded cache: the least recently used value goes first.

    Whoever asks for a value that another thread is loading waits for it. A failure is told to all
    who wait and is not kept.

    Args:
        capacity: how many values are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, Future[Value]] = OrderedDict()

    def get(self, key: Hashable, load: Callable[[], Value]) -> Value:
        """The value of this key, loaded if it is not here."""
        with self._lock:
            entry = self._entries.get(key)
            is_ours = entry is None
            if entry is None:
                entry = self._entries[key] = Future()
                while len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
        if is_ours:
            self._load(key, entry, load)
        return entry.result()

    def forget(self, key: Hashable) -> None:
        """Do not keep this value."""
        with self._lock:
            self._entries.pop(key, None)

    def _load(self, key: Hashable, entry: Future[Value], load: Callable[[], Value]) -> None:
        try:
            entry.set_result(load())
        except BaseException as error:  # noqa: BLE001 (told to all who wait)
            with self._lock:
                if self._entries.get(key) is entry:
                    del self._entries[key]
            entry.set_exception(error)


class ModelCache:
    """The models that answer, with their logs.

    Args:
        models: how many are kept.
        index_memory_mb: what making an event index may take.
    """

    def __init__(self, models: int, index_memory_mb: int) -> None:
        self._index_memory_mb = index_memory_mb
        self._predictors: LoadOnce[Predictor] = LoadOnce(models)
        self._logs: LoadOnce[EventLog] = LoadOnce(models)

    def load_predictor(self, source: ModelSource) -> Predictor:
        """The model of a version.

        Raises:
            Unavailable: its files are missing or damaged.
        """
        return self._predictors.get(source.artifact, lambda: _load_predictor(source))

    def load_log(self, source: LogSource) -> EventLog:
        """The log of a dataset.

        Raises:
            Unavailable: its files are missing or damaged.
        """
        revision = (source.dataset_id, source.dataset_revision)
        return self._logs.get(revision, lambda: self._open_log(source))

    def forget_log(self, dataset_id: int, revision: int | None) -> None:
        """Do not keep the log of an earlier revision."""
        self._logs.forget((dataset_id, revision))

    def _open_log(self, source: LogSource) -> EventLog:
        try:
            return open_event_log(
                source.parts, source.dataset_name, source.time_zone, self._index_memory_mb
            )
        except (OSError, pa.ArrowException, InvalidIndex) as error:
            logger.error("the log of dataset %d cannot be read", source.dataset_id, exc_info=error)
            raise Unavailable(
                f"the event log of dataset {source.dataset_name!r} cannot be read: its files are "
                "missing or damaged",
                code="log_damaged",
            ) from error


def _load_predictor(source: ModelSource) -> Predictor:
    try:
        predictor = Predictor.load(source.artifact)
    except InvalidArtifact as error:
        logger.error("model version %d cannot be loaded", source.version, exc_info=error)
        raise Unavailable(
            f"the files of model version {source.version} of dataset {source.dataset_name!r} are "
            "missing or damaged: train again, or PUT the alias (champion or other) to another "
            "version",
            code="model_damaged",
        ) from error
    predictor.keep_what_answers()
    return predictor
