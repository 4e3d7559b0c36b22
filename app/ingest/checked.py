"""Checks that events, users and items share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
from app.ingest.blocks import Block
from app.ingest.cells import LARGEST_NUMBER, numbers_of, text_of
from app.ingest.faults import BlockFaults, Rejection, shown
from app.ingest.text_buffers import TextBuffer

LONGEST_ID = 200
"""Characters; ids are keys in the database."""


@dataclass(frozen=True)
class CheckedBlock:
    """The good rows of a block in canonical columns, and why the others are not among them."""

    rows: pa.Table
    rejections: list[Rejection]
    rows_read: int


class Checks(Protocol):
    """Turns blocks of an upload into canonical rows."""

    wanted: frozenset[str]
    schema: pa.Schema
    by_event_id: bool
    has_time: bool

    @property
    def dropped(self) -> frozenset[str]:
        """Columns that have turned out to be of no use, by their plain names."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says beside the counts."""
        ...

    def check(self, block: Block) -> CheckedBlock:
        """Check and convert the rows of a block."""
        ...


def mask(values: pa.Array) -> NDArray[np.bool_]:
    """Arrow booleans as NumPy's; unknown is false."""
    known = pc.fill_null(values, False) if values.null_count else values
    found: NDArray[np.bool_] = known.to_numpy(zero_copy_only=False)
    return found


def checked_text(block: Block, column: str | None, faults: BlockFaults) -> pa.Array:
    """A column of ids or names; too long ones, and those with zero characters, are faults."""
    texts = text_of(block.column(column))
    buffer = TextBuffer.of(texts)
    if len(texts) and buffer.lengths.max() > LONGEST_ID:
        faults.add(
            mask(pc.greater(pc.utf8_length(texts), LONGEST_ID)),
            column,
            "too_long",
            lambda row: f"{shown(texts[row].as_py())} has more than {LONGEST_ID} characters",
        )
    if buffer.has_zeros:
        faults.add(
            mask(pc.match_substring(texts, "\0")),
            column,
            "not_text",
            lambda row: f"{shown(texts[row].as_py())} has a zero character",
        )
    return texts


def checked_numbers(block: Block, column: str | None, faults: BlockFaults) -> NDArray[np.float64]:
    """A column of numbers, NaN where missing; the unreadable and the huge are faults."""
    if column is None:
        return np.full(len(block), np.nan)
    cells = block.column(column)
    numbers = numbers_of(cells)
    faults.add(
        numbers.unreadable,
        column,
        "not_a_number",
        lambda row: f"{shown(cells[row].as_py())} is not a number (a point is the decimal mark)",
    )
    faults.add(
        np.abs(np.nan_to_num(numbers.value)) > LARGEST_NUMBER,
        column,
        "out_of_range",
        lambda row: f"{shown(cells[row].as_py())} is beyond {LARGEST_NUMBER:g}",
    )
    return numbers.value


def finished_block(
    block: Block, columns: dict[str, object], faults: BlockFaults, schema: pa.Schema
) -> CheckedBlock:
    """The rows without faults, and all rejections in the order of the file."""
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    rows = pa.Table.from_arrays(arrays, schema=schema)
    if faults.bad.any():
        rows = rows.filter(pa.array(~faults.bad))
    rejections = sorted(block.malformed + faults.rejections, key=lambda rejection: rejection.row)
    return CheckedBlock(rows, rejections, len(block) + len(block.malformed))
