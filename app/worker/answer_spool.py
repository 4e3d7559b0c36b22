"""Scored pieces on disk, from when they are computed until they are stored.

    <folder>/plan.json                                what the pieces are of
    <folder>/<number>-<checksum>.safetensors          one piece

They are not kept in memory, because all rows of a task are put in order before the first is stored.
A file is written aside, synced and renamed: a run that takes the job over goes on after the pieces
that are whole. Of another plan (another log, another cutoff) nothing is taken.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from app.worker.answering import ScoredPiece
from model.checkpoints import write_durably

log = logging.getLogger(__name__)

_SUFFIX = ".safetensors"


class AnswerSpool:
    """The pieces of one job.

    Args:
        folder: exists, and belongs to the job's run alone.
        plan: what the pieces are of; JSON.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self._folder = folder
        self._files: dict[int, Path] = {}
        content = orjson.dumps(dict(plan), option=orjson.OPT_SORT_KEYS)
        place = folder / "plan.json"
        if place.exists() and place.read_bytes() == content:
            self._take_whole_files()
            return
        for old in folder.iterdir():
            old.unlink()
        write_durably(place, content)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, number: int) -> bool:
        return number in self._files

    def add(self, number: int, piece: ScoredPiece) -> None:
        """Keep a piece.

        Raises:
            OSError: the disk is full, or another run has the job and took the folder.
        """
        arrays: dict[str, NDArray[Any]] = {
            "codes": piece.codes,
            "items": piece.items,
            "cold_start": piece.cold_start,
            **{f"parameters/{name}": values for name, values in piece.parameters.items()},
            **{f"kept/{name}": rows for name, rows in piece.kept.items()},
        }
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        path = self._folder / f"{number:06d}-{_checksum(content)}{_SUFFIX}"
        unfinished = path.with_suffix(".unfinished")
        write_durably(unfinished, content)
        unfinished.replace(path)
        self._files[number] = path

    def read(self, numbers: Iterator[int], task: str) -> Iterator[ScoredPiece]:
        """The rows of one task, piece by piece; of the rest nothing is read."""
        for number in numbers:
            with safe_open(self._files[number], framework="numpy") as file:
                codes, items = file.get_tensor("codes"), file.get_tensor("items")
                cold_start = file.get_tensor("cold_start")
                parameters = file.get_tensor(f"parameters/{task}")
                if f"kept/{task}" in file.keys():  # noqa: SIM118 (it is no mapping)
                    kept = file.get_tensor(f"kept/{task}")
                    codes, items, cold_start = codes[kept], items[kept], cold_start[kept]
                    parameters = parameters[kept]
            yield ScoredPiece(codes, items, cold_start, {task: parameters})

    def _take_whole_files(self) -> None:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            number, _, checksum = path.stem.partition("-")
            if _checksum(path.read_bytes()) == checksum:
                self._files[int(number)] = path
            else:
                log.warning("the scored piece %s is damaged: scoring it again", path.name)
                path.unlink()


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
