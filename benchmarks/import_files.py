"""The files of the import benchmark: events as a shop would export them, good and bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

USERS, ITEMS = 200_000, 20_000
EVENT_TYPES, SHARES = ("view", "cart", "purchase"), (0.8, 0.12, 0.08)
HEADER = ("user_id", "item_id", "time", "event_type", "quantity", "price")
BAD_OF_A_KIND = 50
_CHUNK_ROWS = 500_000
_FIRST_S = 1_500_000_000
_S_PER_EVENT = 5
_LONG = "x" * 201

Told = tuple[int, str | None, str]
"""How a bad record is named: its number, the column, the code."""


def write_events(path: Path, rows: int) -> None:
    """A CSV file of so many events, in the order of time; few users have many of them."""
    plain = arrow_csv.WriteOptions(quoting_style="none")
    with arrow_csv.CSVWriter(path, _events(0, 0).schema, write_options=plain) as writer:
        for first in range(0, rows, _CHUNK_ROWS):
            writer.write_table(_events(first, min(_CHUNK_ROWS, rows - first)))


def write_bad_events(path: Path, rows: int) -> set[Told]:
    """The same with notes, some of several lines, and bad records of ten kinds among the good.

    Returns:
        What has to be said of each bad record.
    """
    random = np.random.default_rng(1)
    bad = random.choice(rows, BAD_OF_A_KIND * len(_BAD), replace=False).tolist()
    kinds = {record: number % len(_BAD) for number, record in enumerate(bad)}
    told: set[Told] = set()
    with path.open("w") as file:
        file.write(",".join((*HEADER, "note")) + "\n")
        for first in range(0, rows, _CHUNK_ROWS):
            events = _events(first, min(_CHUNK_ROWS, rows - first)).to_pydict()
            for place, cells in enumerate(zip(*events.values(), strict=True)):
                texts = ["" if cell is None else str(cell) for cell in cells]
                record = dict(zip((*HEADER, "note"), (*texts, _note(first + place)), strict=True))
                if first + place in kinds:
                    change, column, code = _BAD[kinds[first + place]]
                    told.add((first + place + 1, column, code))
                    record |= change
                file.write(",".join(record.values()) + "\n")
    return told


_BAD: tuple[tuple[dict[str, str], str | None, str], ...] = (
    ({"price": "1.50,2.50"}, None, "malformed_row"),
    ({"note": "a,b,c"}, None, "malformed_row"),
    ({"time": "31/05/2024"}, "time", "not_a_time"),
    ({"time": "1066-10-14"}, "time", "absurd_time"),
    ({"time": ""}, "time", "missing_value"),
    ({"quantity": "two"}, "quantity", "not_a_number"),
    ({"price": "1e99"}, "price", "out_of_range"),
    ({"user_id": "", "item_id": " "}, "user_id", "missing_value"),
    ({"event_type": ""}, "event_type", "missing_value"),
    ({"user_id": _LONG}, "user_id", "too_long"),
)


def _note(number: int) -> str:
    return ('"first line\nsecond, ""quoted"" line"', "", "plain", '"\n\n"')[number % 4]


def _events(first: int, rows: int) -> pa.Table:
    random = np.random.default_rng([0, first])
    start_s = _FIRST_S + first * _S_PER_EVENT
    seconds = np.sort(random.integers(start_s, start_s + rows * _S_PER_EVENT + 1, rows))
    types = random.choice(len(EVENT_TYPES), rows, p=SHARES)
    bought = pa.array(types == EVENT_TYPES.index("purchase"))
    quantity = pa.array(random.integers(1, 6, rows))
    price = pa.array(np.round(random.lognormal(2, 1, rows), 2))
    times = pa.array(seconds, pa.int64()).cast(pa.timestamp("s", "UTC"))
    return pa.table(
        {
            "user_id": _ids("u", random, USERS, rows),
            "item_id": _ids("i", random, ITEMS, rows),
            "time": pc.strftime(times, format="%Y-%m-%dT%H:%M:%SZ"),
            "event_type": pa.array(EVENT_TYPES, pa.string()).take(pa.array(types)),
            "quantity": pc.if_else(bought, quantity, None),
            "price": pc.if_else(bought, price, None),
        }
    )


def _ids(prefix: str, random: np.random.Generator, entities: int, rows: int) -> pa.Array:
    names = pa.array([f"{prefix}{number:06d}" for number in range(entities)])
    return names.take(pa.array((random.random(rows) ** 2 * entities).astype(np.int64)))
