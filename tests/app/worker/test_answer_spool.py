from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.worker.answer_spool import AnswerSpool
from app.worker.answering import ScoredPiece

PLAN = {"revision": 3, "pieces": 2}


def piece(*values: float, kept: list[bool] | None = None) -> ScoredPiece:
    rows = len(values)
    return ScoredPiece(
        codes=np.arange(rows),
        items=np.arange(rows if kept else 0),
        cold_start=np.zeros(rows, dtype=bool),
        parameters={"买": np.array(values, dtype=np.float32)[:, None]},
        kept={"买": np.array(kept)} if kept else {},
    )


def values(spool: AnswerSpool, *numbers: int) -> list[list[float]]:
    return [read.parameters["买"][:, 0].tolist() for read in spool.read(iter(numbers), "买")]


def test_pieces_come_back_as_they_were(tmp_path: Path) -> None:
    spool = AnswerSpool(tmp_path, PLAN)
    spool.add(1, piece(0.5, 0.25))
    spool.add(0, piece(1.0, 2.0, 3.0, kept=[True, False, True]))
    assert values(spool, 0, 1) == [[1.0, 3.0], [0.5, 0.25]]
    (pairs,) = spool.read(iter([0]), "买")
    assert (pairs.codes.tolist(), pairs.items.tolist()) == ([0, 2], [0, 2])


def test_the_next_run_goes_on_after_what_is_whole(tmp_path: Path) -> None:
    spool = AnswerSpool(tmp_path, PLAN)
    for number in range(3):
        spool.add(number, piece(float(number)))
    damaged = next(tmp_path.glob("000001-*"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (tmp_path / "000003-cut.unfinished").write_bytes(b"cut")
    following = AnswerSpool(tmp_path, PLAN)
    assert [number in following for number in range(4)] == [True, False, True, False]
    assert values(following, 0, 2) == [[0.0], [2.0]]


def test_of_another_plan_nothing_is_taken(tmp_path: Path) -> None:
    AnswerSpool(tmp_path, PLAN).add(0, piece(1.0))
    assert len(AnswerSpool(tmp_path, {**PLAN, "revision": 4})) == 0
    assert len(AnswerSpool(tmp_path, PLAN)) == 0  # it is gone


def test_a_run_that_lost_its_folder_can_write_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "1"
    mine.mkdir()
    spool = AnswerSpool(mine, PLAN)
    mine.rename(tmp_path / "2")
    with pytest.raises(OSError, match="No such file"):
        spool.add(0, piece(1.0))
