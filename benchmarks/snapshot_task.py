"""What every engine is asked in the snapshot benchmark, and the log that it is asked of.

The aggregates are the ones that the service declares for a log without attributes, by its own names
(see `model.snapshots`): counts and amounts as log(1 + x), days as log(1 + days), NaN where
undefined. So the service's columns can be compared with each peer's by name.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from model.events.ordering import ties_broken
from model.simulation import simulate_events
from model.simulation.log import EventColumns
from model.simulation.process import EVENT_TYPES, NO_UNITS
from model.tasks import Count, EntityKind, Occurs, Sum, Task

DAY_US = 86_400_000_000
LOG_DAYS = 730
LAST_CUTOFF_DAYS = 30
"""Before the log's end, so that all labels are known."""
CUTOFF_STEP_DAYS = 30
NEVER_DAYS = 3650.0
SEQUENCE_LENGTH = 50
WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, 90, 365, None)
LAG_WEEKS = (2, 3, 4, 5)
ENTITIES: tuple[EntityKind, ...] = ("user", "item")
COUNTERPART_OF: dict[str, str] = {"user": "item", "item": "user"}
SEQUENCE_COLUMNS = ("items", "types", "gaps", "amounts")
SEQUENCE_CODES = ("items", "types")
RAW_COLUMNS = ("user", "item", "time", "event_type", "quantity", "price")
_SPARE = 1.1
"""The simulator meets a number of events within a tenth."""

TASKS: tuple[Task, ...] = (
    Task(name="buys_7d", entity="user", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(name="buys_30d", entity="user", target=Occurs(event_type="purchase"), horizon_days=30),
    Task(name="orders_30d", entity="user", target=Count(event_type="purchase"), horizon_days=30),
    Task(name="spend_30d", entity="user", target=Sum(event_type="purchase"), horizon_days=30),
    Task(name="sold_7d", entity="item", target=Occurs(event_type="purchase"), horizon_days=7),
    Task(
        name="units_30d",
        entity="item",
        target=Count(event_type="purchase", of="units"),
        horizon_days=30,
    ),
)


@dataclass(frozen=True)
class Part:
    """Some rows of an answer; an entity has a row at each cutoff that it had events before.

    Attributes:
        entity: user or item.
        cutoffs_us: microseconds since 1970, (R,) or one for all.
        codes: (R,) the entities, in any order.
        columns: (R,) aggregates and labels by name.
        sequences: the last events of the first row, of the second, and so on, or (R, length) with
            zeros in front of each row's.
        lengths: (R,) how many events of `sequences` each row has; None without sequences.
        first_code: from which number on `sequences` count items and types.
    """

    entity: EntityKind
    cutoffs_us: npt.NDArray[np.int64] | int
    codes: npt.NDArray[np.integer]
    columns: dict[str, npt.NDArray[np.floating]]
    sequences: dict[str, npt.NDArray[np.generic]]
    lengths: npt.NDArray[np.integer] | None = None
    first_code: int = 0


def window_name(days: int | None) -> str:
    """How a window is called in the name of a column."""
    return "all" if days is None else f"{days}d"


def aggregate_names(entity: EntityKind) -> tuple[str, ...]:
    """The aggregates of an entity kind, the same for every engine."""
    windows = [window_name(days) for days in WINDOWS_DAYS]
    counterparts = f"{COUNTERPART_OF[entity]}s"
    return (
        *(f"{name}_events_{window}" for name in EVENT_TYPES for window in windows),
        *(
            f"{name}_{of}_{w}"
            for of in ("value", "units")
            for name in EVENT_TYPES
            for w in windows[1:]
        ),
        *(f"{name}_events_week_{week}" for name in EVENT_TYPES for week in LAG_WEEKS),
        "recency",
        "tenure",
        *(f"{name}_recency" for name in EVENT_TYPES),
        *(f"visits_{window}" for window in windows),
        "gap_mean",
        "recency_over_gap",
        *(f"distinct_{counterparts}_{window}" for window in windows[1:]),
        *(f"price_mean_{window}" for window in windows[2:]),
    )


def label_names(entity: EntityKind) -> tuple[str, ...]:
    """The labels of an entity kind."""
    return tuple(task.name for task in TASKS if task.entity == entity)


def cutoffs_us(last_us: int, count: int) -> tuple[int, ...]:
    """Midnights in steps of a month; the last has a month of labels behind it."""
    newest_us = last_us // DAY_US * DAY_US - LAST_CUTOFF_DAYS * DAY_US
    return tuple(newest_us - back * CUTOFF_STEP_DAYS * DAY_US for back in reversed(range(count)))


def write_log(path: Path, events: int, seed: int = 0) -> None:
    """Simulate a shop and write the raw columns of its first events, in the order of time.

    No engine has to guess which of two events of one moment comes first: they are written in the
    order that the service gives them.
    """
    shop = simulate_events(round(events * _SPARE), days=LOG_DAYS, seed=seed)
    columns = _ordered(shop.chronicle.columns)
    units = columns.units[:events].astype(np.float64)
    time_us = columns.time_us[:events] + shop.chronicle.world.days.start_us
    table = pa.table(
        {
            "user": pa.array(columns.user[:events].astype(np.int32)),
            "item": pa.array(columns.item[:events].astype(np.int32)),
            "time": pa.array(time_us).cast(pa.timestamp("us", tz="UTC")),
            "event_type": pa.array(columns.event_type[:events].astype(np.int8)),
            "quantity": pa.array(units, mask=units == NO_UNITS),
            "price": pa.array(np.round(columns.price[:events], 2)),
        }
    )
    pq.write_table(table, path)


def _ordered(columns: EventColumns) -> EventColumns:
    names = ("user", "item", "event_type", "units", "price")
    rows = np.arange(len(columns))
    order = ties_broken(rows, columns.time_us, [getattr(columns, name) for name in names])
    return EventColumns(**{f.name: getattr(columns, f.name)[order] for f in fields(columns)})


def raw_bytes(events: int) -> int:
    """The raw columns in memory: two ids, a time, a type and two amounts."""
    return events * (4 + 4 + 8 + 1 + 8 + 8)
