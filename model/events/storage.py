"""The event log with its indices in a folder: columns in files, mapped into memory to be read.

    head.json               what the other files are, and what they were made from; written last
    users.ids.arrow         ids in order; `items` alike
    users.attributes.arrow  a row for each of them
    log.*.npy               the log's columns, in the order of time
    column.<i>.npy          its further columns
    users.*.npy             the events of each user: offsets, rows, columns by slot
    items.*.npy, pairs.*.npy

`building.build_index` sees to it that no folder of that name is half done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

import model.lazy_pandas as pd
from model.errors import InvalidIndex
from model.events.arrays import ArrayWriter, OpenArrays, StoredArray
from model.events.entities import Entities
from model.events.entity_room import EntityRoom
from model.events.frames import EventColumn
from model.events.index import SLOT_COLUMNS, Codes, EntityEvents, PairEvents
from model.events.log import LOG_COLUMNS, EventLog
from model.events.mapped_files import MAPPED_FILES
from model.events.stored_entities import StoredEntities

SCHEMA_VERSION = 1
"""Of the files, and of how they follow from the events."""

HEAD = "head.json"
_TABLES = ("ids", "attributes")

FEW = 64
"""The events of so many entities are read, not mapped: a look at a page maps many around it."""
_FEW_EVENTS = 1 << 16
"""As long as they have no more than this together."""


@dataclass(frozen=True, kw_only=True)
class StoredEvents(EntityEvents):
    """Mapped, to be walked through; what is asked of a few entities is read from the files."""

    files: OpenArrays
    bounds: OpenArrays

    def one_at_a_time(self) -> EntityRoom:
        """Room for the events of one entity, for one thread."""
        return EntityRoom(self.bounds, self.files)

    def is_sooner_gathered(self, entities: Codes) -> bool:
        """Whether they are few, with not too many events."""
        return len(entities) <= FEW and int(self._places(entities)[1].sum()) <= _FEW_EVENTS

    def _columns_of(
        self, starts: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        if len(starts) > FEW or int(counts.sum()) > _FEW_EVENTS:
            return super()._columns_of(starts, counts)
        return self.files.gathered(starts, counts)


class StoredColumn(BaseModel):
    """A further column: its texts, or None for numbers."""

    name: str
    texts: tuple[str, ...] | None


class Head(BaseModel):
    """What a folder holds.

    Attributes:
        made_from: names of the parts, in the order of import.
        arrays: type and length of each array.
        bytes: size of each other file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    made_from: tuple[str, ...]
    time_zone: str
    event_types: tuple[str, ...]
    has_value: bool
    has_quantity: bool
    has_time: bool
    columns: tuple[StoredColumn, ...]
    arrays: dict[str, tuple[str, int]]
    bytes: dict[str, int]


class StoredLog:
    """A folder that is whole, as far as names, sizes and versions tell.

    Args:
        folder: where it is.

    Raises:
        InvalidIndex: it is missing, damaged or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head = _read_head(folder)
        self.arrays = {
            name: StoredArray(folder / f"{name}.npy", np.dtype(dtype), length)
            for name, (dtype, length) in self.head.arrays.items()
        }
        sizes = {array.path.name: array.bytes for array in self.arrays.values()}
        for name, size in (sizes | self.head.bytes).items():
            _check_size(folder / name, size)

    def ids(self, name: str) -> pd.Index:
        """Of the `users` or the `items`."""
        return self.entities(name).ids

    def entities(self, name: str) -> Entities:
        """The `users` or the `items`."""
        tables = (_read_table(self.folder / f"{name}.{what}.arrow") for what in _TABLES)
        return StoredEntities(*tables)

    def open(self) -> EventLog:
        """The log; its columns and indices are read when they are looked at."""
        head, mapped = self.head, {name: array.mapped() for name, array in self.arrays.items()}
        log = EventLog(
            users=self.entities("users"),
            items=self.entities("items"),
            event_types=head.event_types,
            time_zone=head.time_zone,
            has_value=head.has_value,
            has_quantity=head.has_quantity,
            has_time=head.has_time,
            columns={
                column.name: EventColumn(mapped[f"column.{i}"], column.texts)
                for i, column in enumerate(head.columns)
            },
            packed=None,
            **{name: mapped[f"log.{name}"] for name in LOG_COLUMNS if name != "local_minute"},
        )
        return log.with_indices(
            local_minute=mapped["log.local_minute"],
            user_events=self._entity_events("users", mapped),
            item_events=self._entity_events("items", mapped),
            pair_events=PairEvents(self._entity_events("pairs", mapped), mapped["pairs.pairs"]),
        )

    def _entity_events(self, name: str, mapped: Mapping[str, NDArray[Any]]) -> StoredEvents:
        columns = {column: mapped[f"{name}.{column}"] for column in ("offsets", *SLOT_COLUMNS)}
        files = OpenArrays({column: self.arrays[f"{name}.{column}"] for column in SLOT_COLUMNS})
        bounds = OpenArrays({"offsets": self.arrays[f"{name}.offsets"]})
        return StoredEvents(first=0, files=files, bounds=bounds, **columns)


class LogWriter:
    """Writes a folder, file by file.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, tuple[str, int]] = {}
        self._bytes: dict[str, int] = {}

    @contextmanager
    def writers(self, dtypes: Mapping[str, DTypeLike]) -> Iterator[dict[str, ArrayWriter]]:
        """To write arrays in pieces, side by side; they are complete when the block ends."""
        with ExitStack() as files:
            writers = {
                name: files.enter_context(ArrayWriter(self._folder / f"{name}.npy", dtype))
                for name, dtype in dtypes.items()
            }
            yield writers
            for name, writer in writers.items():
                stored = writer.close()
                self._arrays[name] = (stored.dtype.str, stored.length)

    def write(self, name: str, array: NDArray[Any]) -> None:
        """Write an array as a whole."""
        with self.writers({name: array.dtype}) as writers:
            writers[name].append(array)

    def write_events(self, name: str, events: EntityEvents) -> None:
        """Write an index."""
        for column in ("offsets", *SLOT_COLUMNS):
            self.write(f"{name}.{column}", getattr(events, column))

    def write_entities(self, name: str, entities: Entities) -> None:
        """Write the users or the items."""
        self._write_table(f"{name}.ids.arrow", pd.DataFrame({"id": entities.ids}))
        self._write_table(f"{name}.attributes.arrow", entities.attributes)

    def _write_table(self, name: str, frame: pd.DataFrame) -> None:
        path = self._folder / name
        table = pa.Table.from_pandas(frame, preserve_index=False)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        self._bytes[name] = path.stat().st_size

    def finish(self, **told: Any) -> None:
        """Write the head; `told` is what only the caller knows of it."""
        head = Head(schema_version=SCHEMA_VERSION, arrays=self._arrays, bytes=self._bytes, **told)
        (self._folder / HEAD).write_text(head.model_dump_json(), encoding="utf-8")


def write_log(log: EventLog, folder: Path, made_from: tuple[str, ...]) -> None:
    """Write a log that is in memory into an empty folder."""
    writer = LogWriter(folder)
    for name in LOG_COLUMNS:
        writer.write(f"log.{name}", getattr(log, name))
    for i, column in enumerate(log.columns.values()):
        writer.write(f"column.{i}", column.data)
    # One index at a time: a copy of the log keeps what was made, and is let go.
    writer.write_events("users", replace(log).user_events)
    writer.write_events("items", replace(log).item_events)
    pairs = replace(log).pair_events
    writer.write_events("pairs", pairs.events)
    writer.write("pairs.pairs", pairs.pairs)
    writer.write_entities("users", log.users)
    writer.write_entities("items", log.items)
    writer.finish(
        made_from=made_from,
        time_zone=log.time_zone,
        event_types=log.event_types,
        has_value=log.has_value,
        has_quantity=log.has_quantity,
        has_time=log.has_time,
        columns=[
            StoredColumn(name=name, texts=column.values) for name, column in log.columns.items()
        ],
    )


def _read_head(folder: Path) -> Head:
    try:
        head = Head.model_validate_json((folder / HEAD).read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidIndex(f"the event index {folder} cannot be read: build it again") from error
    if head.schema_version != SCHEMA_VERSION:
        raise InvalidIndex(
            f"the event index {folder} has version {head.schema_version}, not {SCHEMA_VERSION}: "
            "build it again"
        )
    return head


def _check_size(path: Path, expected: int) -> None:
    found = path.stat().st_size if path.exists() else None
    if found != expected:
        raise InvalidIndex(
            f"the file {path} of an event index has {found} bytes, not {expected}: build it again"
        )


def _read_table(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.py_buffer(MAPPED_FILES.map(path))).read_all()
