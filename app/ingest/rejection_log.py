"""All rejections of an import, in a file; the first ones and the counts in memory."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from app.ingest.faults import Rejection

FIRST = 100
"""Rejections that stand in the report itself."""

_CSV_PIECE_ROWS = 1000
_FIELDS = ("row", "column", "code", "message")


class RejectionLog:
    """Writes rejections to a compressed JSON Lines file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first: list[Rejection] = []
        self.by_code: Counter[str] = Counter()
        self._file = gzip.open(path, "wb", compresslevel=1)  # noqa: SIM115

    def add(self, rejections: Sequence[Rejection]) -> None:
        """Keep them."""
        self.first += rejections[: FIRST - len(self.first)]
        self.by_code.update(rejection.code for rejection in rejections)
        for rejection in rejections:
            self._file.write(orjson.dumps(asdict(rejection), option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_json_lines(path: Path) -> Iterator[bytes]:
    """The rejections as JSON Lines, a piece at a time."""
    with gzip.open(path, "rb") as file:
        while piece := file.read(2**16):
            yield piece


def read_csv(path: Path) -> Iterator[bytes]:
    """The rejections as CSV, a piece at a time."""
    yield _csv_rows([_FIELDS])
    with gzip.open(path, "rb") as file:
        while lines := list(islice(file, _CSV_PIECE_ROWS)):
            rejections = [orjson.loads(line) for line in lines]
            yield _csv_rows([[row[field] for field in _FIELDS] for row in rejections])


def _csv_rows(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
