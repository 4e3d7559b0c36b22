"""What is wrong with an upload: with all of it, or with single rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import Invalid

_SHOWN_CHARACTERS = 80


class InvalidUpload(Invalid):
    """The upload as a whole cannot be read; the message says why and what would help."""

    code, title = "invalid_upload", "The upload cannot be read"


@dataclass(frozen=True)
class Rejection:
    """A row that was not taken.

    `row` counts records from 1: in CSV without the header, so that a quoted line break does not
    count; in JSON Lines it is the line; in Parquet the row.
    """

    row: int
    column: str | None
    code: str
    message: str


class BlockFaults:
    """The faults in one block of rows: each row's first."""

    def __init__(self, records: NDArray[np.int64]) -> None:
        self._records = records
        self.bad = np.zeros(len(records), dtype=bool)
        self.rejections: list[Rejection] = []

    def add(
        self,
        where: NDArray[np.bool_],
        column: str | None,
        code: str,
        message: Callable[[int], str],
    ) -> None:
        """Reject the rows `where` is true; `message` is asked for each with its position."""
        new = where & ~self.bad
        self.bad |= new
        self.rejections += [
            Rejection(int(self._records[position]), column, code, message(position))
            for position in np.flatnonzero(new).tolist()
        ]


def shown(value: object) -> str:
    """A value as it stands in a message: quoted, and cut when it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
