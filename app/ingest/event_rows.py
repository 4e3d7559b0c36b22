"""From rows of an upload to events: mapped, typed and checked, whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
from app.db.types import utc_now
from app.ingest.blocks import Block, Upload
from app.ingest.cells import text_of
from app.ingest.checked import CheckedBlock, checked_numbers, checked_text, finished_block, mask
from app.ingest.event_columns import event_source
from app.ingest.faults import BlockFaults, shown
from app.ingest.further_columns import FurtherColumns
from app.ingest.mapping import EventMapping
from app.ingest.row_keys import combined_keys, number_keys, text_keys
from app.ingest.rules import event_types_by_rule
from app.ingest.times import Times, times_of
from model.events import to_microseconds

SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("time", pa.timestamp("us", "UTC")),
        ("event_type", pa.string()),
        ("quantity", pa.float64()),
        ("price", pa.float64()),
        ("value", pa.float64()),
        ("key", pa.uint64()),
    ]
)
CLOCK_TOLERANCE = timedelta(days=2)
"""An event may be so much later than now: clocks differ, and zones are mistaken.

What is later is a mistake, and a single one would move the end of the log that all labels hang on.
"""
_NUMBERS = ("quantity", "price", "value")
_EXAMPLES = {
    "iso8601": "2024-05-31T18:30:00+02:00 or 2024-05-31 18:30",
    "epoch_s": "1717173000",
    "epoch_ms": "1717173000000",
}


class EventChecks:
    """Checks the events of one upload.

    Raises:
        InvalidUpload: The upload lacks a column that is needed, or does not fit the dataset.
    """

    def __init__(
        self, mapping: EventMapping, upload: Upload, time_zone: str, known: bool | None
    ) -> None:
        self._mapping = mapping
        self._zone = ZoneInfo(time_zone)
        self._latest_us = to_microseconds(utc_now() + CLOCK_TOLERANCE)
        self._source = event_source(mapping, upload, known)
        self._columns = self._source.columns
        self.has_time = self._source.has_time
        self.by_event_id = self._columns["event_id"] is not None
        used = [*self._columns.values(), *(rule.column for rule in mapping.rules)]
        self._further = FurtherColumns(mapping, upload, used)
        self.wanted = self._further.wanted.union(name for name in used if name is not None)
        self.schema = pa.schema([*list(SCHEMA)[:-1], *self._further.fields, SCHEMA.field("key")])

    @property
    def dropped(self) -> frozenset[str]:
        """Further columns that are of no use."""
        return self._further.dropped

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says beside the counts."""
        return self._source.notes + self._further.notes

    def check(self, block: Block) -> CheckedBlock:
        """The events of a block."""
        faults = BlockFaults(block.records)
        user = checked_text(block, self._columns["user"], faults)
        item = checked_text(block, self._columns["item"], faults)
        faults.add(
            mask(pc.and_(pc.is_null(user), pc.is_null(item))),
            self._columns["user"] or self._columns["item"],
            "missing_value",
            lambda _: "neither a user nor an item",
        )
        time_us = self._times(block, faults)
        event_type = self._event_types(block, faults)
        numbers = {name: checked_numbers(block, self._columns[name], faults) for name in _NUMBERS}
        content = [
            *(text_keys(texts) for texts in (user, item, event_type)),
            time_us.view(np.uint64),
            *(number_keys(numbers[name]) for name in _NUMBERS),
        ]
        further, added = self._further.read(block, faults)
        key = self._event_ids(block, faults)
        columns: dict[str, object] = {
            "user": user,
            "item": item,
            "time": time_us if self.has_time else pa.nulls(len(block), pa.int64()),
            "event_type": event_type,
            **numbers,
            **further,
            "key": combined_keys(content) + added if key is None else key,
        }
        return finished_block(block, columns, faults, self.schema)

    def _times(self, block: Block, faults: BlockFaults) -> NDArray[np.int64]:
        if not self.has_time:
            return np.zeros(len(block), dtype=np.int64)
        column = self._columns["time"]
        cells = block.column(column)
        times = times_of(
            cells, self._mapping.time_format, self._zone, self._mapping.ambiguous_times
        )
        _add_time_faults(times, cells, column, faults, self._mapping.time_format, self._zone)
        faults.add(
            times.us > self._latest_us,
            column,
            "future_time",
            _teller(cells, "has not come yet: is the time format right?"),
        )
        return times.us

    def _event_types(self, block: Block, faults: BlockFaults) -> pa.Array:
        column = self._columns["event_type"]
        types = checked_text(block, column, faults)
        if self._mapping.rules:
            types = pc.coalesce(event_types_by_rule(block, self._mapping.rules), types)
        if self._source.default_event_type is not None:
            types = pc.fill_null(types, self._source.default_event_type)
        faults.add(
            mask(pc.is_null(types)),
            column,
            "missing_value",
            lambda _: "no event type: the cell is empty, no rule fits and there is no default",
        )
        return types

    def _event_ids(self, block: Block, faults: BlockFaults) -> NDArray[np.uint64] | None:
        column = self._columns["event_id"]
        if column is None:
            return None
        ids = text_of(block.column(column))
        faults.add(mask(pc.is_null(ids)), column, "missing_value", lambda _: "no event id")
        return text_keys(ids)


def _add_time_faults(
    times: Times,
    cells: pa.Array,
    column: str | None,
    faults: BlockFaults,
    time_format: str,
    zone: ZoneInfo,
) -> None:
    example = f", e.g. {_EXAMPLES[time_format]}" if time_format in _EXAMPLES else ""
    faults.add(times.missing, column, "missing_value", lambda _: "no time")
    told = {
        "not_a_time": (times.unreadable, f"is not a time of the format {time_format}{example}"),
        "absurd_time": (times.absurd, "is not between the years 1970 and 2200"),
        "ambiguous_time": (
            times.ambiguous,
            f"occurs twice in {zone} (clocks are set back): add an offset, or set ambiguous_times",
        ),
        "nonexistent_time": (
            times.nonexistent,
            f"does not exist in {zone} (clocks are set forward): is the time zone right?",
        ),
    }
    for code, (where, message) in told.items():
        faults.add(where, column, code, _teller(cells, message))


def _teller(cells: pa.Array, message: str) -> Callable[[int], str]:
    def tell(row: int) -> str:
        value = cells[row].as_py()
        return f"{shown(value if isinstance(value, str | int | float) else str(value))} {message}"

    return tell
