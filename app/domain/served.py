"""What one process has in memory to answer from: a dataset as of now and the models that answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Protocol

from app.domain.model_versions import CHAMPION
from app.domain.tails import Tail
from app.ingest.event_batch import frame_of
from model.events import EventLog, to_datetime, to_microseconds
from model.events.mapped_files import MAPPED_FILES
from model.events.tail import LogWithTail
from model.prediction import Predictor
from model.snapshots import OnlineReader, ReadRows, Rows, SnapshotReader
from model.tasks import Task

_SECOND_US = 1_000_000


class Reader(Protocol):
    """Reads rows of a log as a model sees them."""

    def read(self, log: LogWithTail, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows."""


@dataclass(frozen=True)
class TimelessReader:
    """Of a log without times: nothing is before or after, so that there is no tail to look at."""

    reader: SnapshotReader

    def read(self, _log: LogWithTail, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows."""
        return self.reader.read(rows)


@dataclass(frozen=True)
class FrugalReader:
    """Reads, and does not go on holding all that was looked at of the index."""

    reader: Reader

    def read(self, log: LogWithTail, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows."""
        try:
            return self.reader.read(log, rows)
        finally:
            MAPPED_FILES.keep_within()


@dataclass(frozen=True)
class ServedModel:
    """A model version that is ready to answer.

    Attributes:
        number: of the version.
        tasks: what it predicts, by name, in the order of declaration.
        predictor: its model.
        reader: reads the log that is served, as this model sees it.
        used: when it was last asked, by the monotonic clock.
    """

    number: int
    tasks: Mapping[str, Task]
    predictor: Predictor
    reader: Reader
    used: list[float] = field(default_factory=lambda: [time.monotonic()])

    @classmethod
    def of(
        cls, number: int, tasks: Mapping[str, Task], predictor: Predictor, log: EventLog
    ) -> ServedModel:
        """The model, ready for this log."""
        reader = predictor.reader(log)
        online = OnlineReader(reader) if log.has_time else TimelessReader(reader)
        return cls(number, tasks, predictor, FrugalReader(online))

    def over(self, log: EventLog) -> ServedModel:
        """The same, ready for another log."""
        return ServedModel.of(self.number, self.tasks, self.predictor, log)

    @cached_property
    def cutoff_us(self) -> int:
        """Up to when it knew the log that it was trained on."""
        return to_microseconds(self.predictor.cutoff_at)


@dataclass(frozen=True)
class ServedDataset:
    """A dataset at one moment. What changes makes another one of these; requests keep theirs.

    Attributes:
        changes: the dataset's count of changes that this one has seen.
        revision: of the parts that the log was made from.
        sequence: of the newest batch of events that is in the log.
        log: the parts' events, and those that came since.
        aliases: which version each one points to; a move counts once the version is ready.
        models: the versions that are ready.
    """

    dataset_id: int
    name: str
    changes: int
    revision: int
    sequence: int
    log: LogWithTail
    aliases: Mapping[str, int]
    models: Mapping[int, ServedModel]

    def model(self, reference: str) -> ServedModel | None:
        """The ready version that a number or an alias stands for."""
        number = self.aliases.get(reference)
        if number is None:
            if not (reference.isascii() and reference.isdecimal()):
                return None
            number = int(reference)
        model = self.models.get(number)
        if model is not None:
            model.used[0] = time.monotonic()
        return model

    @cached_property
    def now_us(self) -> int:
        """The dataset's clock: its newest event, rounded up to a whole second."""
        return -(-self.log.last_us // _SECOND_US) * _SECOND_US

    def cutoff_us(self, model: ServedModel) -> int:
        """When a prediction is made unless the request says when."""
        if not self.log.base.has_time:
            return model.cutoff_us
        return max(self.now_us, model.cutoff_us)

    def with_tail(self, tail: Tail) -> ServedDataset:
        """The same with the batches that it has not seen; a log without times has no tail."""
        log = self.log
        if log.base.has_time:
            for rows in tail.tables(after=self.sequence):
                log = log.with_events(frame_of(rows))
        return replace(self, log=log, sequence=max(self.sequence, tail.sequence))

    def with_model(self, model: ServedModel) -> ServedDataset:
        """The same, ready to answer by one more version."""
        return replace(self, models={**self.models, model.number: model})

    def without_model(self, number: int) -> ServedDataset:
        """The same without one of the versions."""
        models = {other: model for other, model in self.models.items() if other != number}
        return replace(self, models=models)

    def pointed(self, wanted: Mapping[str, int]) -> ServedDataset:
        """The same with aliases where they are wanted, as far as the versions are ready.

        An alias whose version answers stays there until the other one is ready.
        """
        aliases = {
            alias: number
            if number in self.models or self.aliases.get(alias) not in self.models
            else self.aliases[alias]
            for alias, number in wanted.items()
        }
        return replace(self, aliases=aliases)

    @property
    def champion(self) -> ServedModel | None:
        """The version that answers unless another is asked for, if it is ready."""
        return self.model(CHAMPION)


@lru_cache(maxsize=256)
def shown_time(time_us: int) -> str:
    """A moment in RFC 3339, UTC."""
    return to_datetime(time_us).isoformat().replace("+00:00", "Z")
