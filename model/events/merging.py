"""Stored logs put together to one, in memory that does not grow with their events.

Each of them is in order already and new codes keep the order of old ones, so everything is
interleaved and nothing is sorted anew but the events of one moment: the log by time, slots by
(entity, row in the new log), which is packed in one number. Files that say where a row has gone
take four bytes an event until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import model.lazy_pandas as pd
from model.errors import InvalidIndex
from model.events.arrays import ArrayWriter
from model.events.index import SLOT_COLUMNS, Codes, row_type
from model.events.interleaving import Keyed, Stretch, interleaved
from model.events.log import LOG_COLUMNS
from model.events.ordering import TIE_COLUMNS, ties_broken
from model.events.sources import Source, Vocabulary
from model.events.storage import LogWriter, StoredLog

_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1

Read = Callable[[Source, int, int], NDArray[Any]]
"""Entries of some column of a source, from a start up to a stop."""


def merge(
    logs: Sequence[StoredLog],
    folder: Path,
    *,
    users: pd.DataFrame | None,
    items: pd.DataFrame | None,
    made_from: tuple[str, ...],
    window: int,
) -> None:
    """Write the log of all events of some logs into an empty folder.

    Args:
        logs: in the order of import: of one moment, the events of earlier ones come first.
        folder: where to.
        users: all that is known of users by now, as `EventLog.from_frames` takes it.
        items: likewise.
        made_from: the parts that the events are of.
        window: how many events of each log are in memory at a time.

    Raises:
        InvalidIndex: the logs do not fit together.
    """
    heads = [log.head for log in logs]
    head = heads[0]
    if any((h.time_zone, h.has_time) != (head.time_zone, head.has_time) for h in heads):
        raise InvalidIndex("these logs have different time zones, or only some have times")
    vocabulary = Vocabulary.of(logs, users, items)
    sources = [Source(log, vocabulary) for log in logs]
    writer = LogWriter(folder)
    with TemporaryDirectory(dir=folder) as scratch:
        merging = _Merging(sources, writer, Path(scratch), window)
        merging.write_log(vocabulary)
        merging.write_slots("users", len(vocabulary.users), [s.entities["users"] for s in sources])
        merging.write_slots("items", len(vocabulary.items), [s.entities["items"] for s in sources])
        pairs, codes = merging.write_pairs()
        merging.write_slots("pairs", pairs, codes)
    writer.write_entities("users", vocabulary.users)
    writer.write_entities("items", vocabulary.items)
    writer.finish(
        made_from=made_from,
        time_zone=head.time_zone,
        event_types=vocabulary.event_types,
        has_value=any(h.has_value for h in heads),
        has_quantity=any(h.has_quantity for h in heads),
        has_time=head.has_time,
        columns=vocabulary.columns,
    )


class _Merging:
    def __init__(
        self, sources: Sequence[Source], writer: LogWriter, scratch: Path, window: int
    ) -> None:
        self._sources = sources
        self._writer = writer
        self._scratch = scratch
        self._window = window
        self._has_time = sources[0].stored.head.has_time
        self._row_type = row_type(sum(map(len, sources)))
        self._new_rows: list[NDArray[Any]] = []

    def write_log(self, vocabulary: Vocabulary) -> None:
        """The columns in the order of time; notes where each row of each source goes."""
        readers: dict[str, Read] = {
            f"log.{name}": partial(Source.column, group="log", name=name) for name in LOG_COLUMNS
        }
        dtypes = self._dtypes(readers)
        for i, column in enumerate(vocabulary.columns):
            readers[f"column.{i}"] = partial(Source.further_column, column=column)
            dtypes[f"column.{i}"] = np.float64 if column.texts is None else np.int32
        times = partial(Source.column, group="log", name="time_us")
        keyed = [Keyed(len(source), partial(times, source)) for source in self._sources]
        done = 0
        with (
            self._moves("rows", self._row_type) as moves,
            self._writer.writers(dtypes) as writers,
        ):
            for by_time in interleaved(keyed, self._window, whole_keys=self._has_time):
                stretch = self._ordered(by_time) if self._has_time else by_time
                self._append_columns(writers, stretch, readers)
                moves.append(stretch, np.arange(done, done + len(stretch)))
                done += len(stretch)
            self._new_rows = moves.close()

    def write_pairs(self) -> tuple[int, list[Codes]]:
        """The pairs that any source has; how many, and the new codes of each source's."""
        keyed = [Keyed(s.pairs, partial(Source.packed_pairs, s)) for s in self._sources]
        done, last = 0, -1
        with (
            self._moves("pairs", np.int64) as moves,
            self._writer.writers({"pairs.pairs": np.int64}) as writers,
        ):
            for stretch in interleaved(keyed, self._window):
                pairs = stretch.keys[stretch.order]
                is_new = np.diff(pairs, prepend=last) != 0
                moves.append(stretch, done + np.cumsum(is_new) - 1)
                writers["pairs.pairs"].append(pairs[is_new])
                done, last = done + int(is_new.sum()), int(pairs[-1])
            return done, moves.close()

    def write_slots(self, group: str, entities: int, codes: Sequence[Codes]) -> None:
        """An index; `codes` are the new codes of each source's entities."""
        readers: dict[str, Read] = {
            f"{group}.{name}": partial(Source.column, group=group, name=name)
            for name in SLOT_COLUMNS
            if name != "rows"
        }
        keyed = [
            _slots_of(source, group, new, rows)
            for source, new, rows in zip(self._sources, codes, self._new_rows, strict=True)
        ]
        dtypes = self._dtypes([f"{group}.offsets", *readers]) | {f"{group}.rows": self._row_type}
        with self._writer.writers(dtypes) as writers:
            offsets = _Offsets(writers[f"{group}.offsets"], entities)
            for stretch in interleaved(keyed, self._window):
                keys = stretch.keys[stretch.order]
                offsets.append(keys >> _ROW_BITS)
                writers[f"{group}.rows"].append((keys & _ROW_MASK).astype(self._row_type))
                self._append_columns(writers, stretch, readers)
            offsets.finish()

    def _ordered(self, stretch: Stretch) -> Stretch:
        """The same entries, those of one moment by what they are."""
        columns = [
            self._pieces(stretch, partial(Source.column, group="log", name=name))
            for name in TIE_COLUMNS
        ]
        return replace(stretch, order=ties_broken(stretch.order, stretch.keys, columns))

    def _pieces(self, stretch: Stretch, read: Read) -> NDArray[Any]:
        parts = zip(self._sources, stretch.ranges, strict=True)
        return np.concatenate(
            [read(source, start, stop) for source, (start, stop) in parts if stop > start]
        )

    def _append_columns(
        self, writers: Mapping[str, ArrayWriter], stretch: Stretch, readers: Mapping[str, Read]
    ) -> None:
        for name, read in readers.items():
            writers[name].append(self._pieces(stretch, read)[stretch.order])

    def _dtypes(self, names: Iterable[str]) -> dict[str, DTypeLike]:
        return {name: self._sources[0].stored.arrays[name].dtype for name in names}

    @contextmanager
    def _moves(self, name: str, dtype: DTypeLike) -> Iterator[_Moves]:
        paths = [self._scratch / f"{name}.{i}.npy" for i in range(len(self._sources))]
        with ExitStack() as files:
            yield _Moves([files.enter_context(ArrayWriter(path, dtype)) for path in paths])


class _Moves:
    """Notes, for each entry of each source, what becomes of it."""

    def __init__(self, writers: Sequence[ArrayWriter]) -> None:
        self._writers = writers

    def append(self, stretch: Stretch, to: NDArray[np.integer[Any]]) -> None:
        """`to`, (n,), is in the order of the result."""
        by_source = np.empty_like(to)
        by_source[stretch.order] = to
        done = 0
        for writer, (start, stop) in zip(self._writers, stretch.ranges, strict=True):
            writer.append(by_source[done : done + stop - start])
            done += stop - start

    def close(self) -> list[NDArray[Any]]:
        """Per source, for each of its entries."""
        return [writer.close().mapped() for writer in self._writers]


class _Offsets:
    """Writes the offsets of an index while the entities of its slots come by."""

    def __init__(self, writer: ArrayWriter, entities: int) -> None:
        self._writer = writer
        self._entities = entities
        self._written = 0
        self._slots = 0

    def append(self, entity: Codes) -> None:
        """The entities of the next slots, ascending."""
        upcoming = np.arange(self._written, int(entity[-1]) + 1)
        self._writer.append(self._slots + np.searchsorted(entity, upcoming))
        self._written += len(upcoming)
        self._slots += len(entity)

    def finish(self) -> None:
        """The entities that are left have no slots."""
        self._writer.append(np.full(self._entities + 1 - self._written, self._slots))


def _slots_of(source: Source, group: str, codes: Codes, new_rows: NDArray[Any]) -> Keyed:
    """The slots of a source's index, by new entity and new row."""
    offsets = source.stored.arrays[f"{group}.offsets"].mapped()
    rows = source.stored.arrays[f"{group}.rows"]

    def read(start: int, stop: int) -> NDArray[np.int64]:
        first = int(np.searchsorted(offsets, start, side="right")) - 1
        last = int(np.searchsorted(offsets, stop - 1, side="right"))
        counts = np.diff(np.clip(offsets[first : last + 1], start, stop))
        keys = np.repeat(codes[first:last].astype(np.int64), counts) << _ROW_BITS
        keys |= new_rows[rows.read(start, stop)]
        return keys

    return Keyed(rows.length, read)
