from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from model.events import EventLog
from model.prediction import Predictor, Scorer
from model.prediction.one_row_forward import OneRowForward
from model.snapshots import ReadRows, Rows
from model.tasks import EntityKind

KINDS: tuple[EntityKind, ...] = ("user", "item", "pair")


def read(predictor: Predictor, log: EventLog, kind: EntityKind) -> ReadRows:
    codes = np.arange(20)
    users, items = None if kind == "item" else codes, None if kind == "user" else codes
    return predictor.reader(log).read(Rows.of(kind, users, items, log.last_us))


def one(rows: ReadRows, row: int) -> ReadRows:
    return rows.take(slice(row, row + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_answered_as_the_session_answers_it(
    predictor: Predictor, log: EventLog, kind: EntityKind
) -> None:
    scorer, rows = predictor.scorer(kind), read(predictor, log, kind)
    forward = OneRowForward(scorer._session, scorer.layout.columns)
    found = [forward(one(rows, row).arrays) for row in range(len(rows))]  # none is written over
    for row, parameters in enumerate(found):
        arrays = one(rows, row).arrays
        wanted = {name: arrays[name] for name in scorer._wanted}
        (expected,) = scorer._session.run(["parameters"], wanted)
        assert parameters.dtype == expected.dtype
        assert np.array_equal(parameters, expected)


def test_several_threads_have_room_of_their_own(predictor: Predictor, log: EventLog) -> None:
    scorer, rows = predictor.scorer("user"), read(predictor, log, "user")

    def alone(scorer: Scorer, row: int) -> list[float]:
        return scorer.score(one(rows, row), log)[0].tolist()

    expected = [alone(scorer, row) for row in range(len(rows))]
    asked = list(range(len(rows))) * 20
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda row: alone(scorer, row), asked))
    assert found == [expected[row] for row in asked]
