from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.domain.gathering import INLINE_ROWS, MOST_TURNS, Gatherer, Single
from app.domain.predictions import Basis
from app.domain.served import Reader, ServedDataset, ServedModel
from app.domain.stored_predictions import Entity
from model.events.tail import LogWithTail
from model.snapshots import ReadRows, Rows
from model.tasks import Task
from tests.app.trained_shop import TrainedShop


class Counted:
    """Reads, and notes how many rows at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.rows: list[int] = []

    def read(self, log: LogWithTail, rows: Rows) -> ReadRows:
        """What the network is fed with for these rows."""
        self.rows.append(len(rows))
        return self._reader.read(log, rows)


class Questions:
    """Asks a gatherer for the shop's users, one after another."""

    def __init__(self, shop: TrainedShop, threads: ThreadPoolExecutor) -> None:
        predictor = shop.predictor
        model = ServedModel.of(1, predictor.tasks, predictor, shop.log)
        self.counted = Counted(model.reader)
        model = replace(model, reader=self.counted)
        log = LogWithTail(shop.log)
        dataset = ServedDataset(1, "shop", 0, 0, 0, log, {"champion": 1}, {1: model})
        self._basis = Basis(dataset, model, dataset.cutoff_us(model))
        self._task: Task = predictor.tasks["buys_14d"]
        self._gatherer = Gatherer(threads)
        self._ids = [str(one) for one in shop.log.users.ids]

    def ask(self, user: int) -> asyncio.Future[Single | None]:
        """One user's answer."""
        known = self._ids[user % len(self._ids)]
        return self._gatherer.ask(self._basis, self._task, Entity(known))

    def ask_for(self, entity_id: str) -> asyncio.Future[Single | None]:
        """The answer of whoever has this id."""
        return self._gatherer.ask(self._basis, self._task, Entity(entity_id))


@pytest.fixture
def questions(trained_shop: TrainedShop) -> Iterator[Questions]:
    with ThreadPoolExecutor(1) as threads:
        yield Questions(trained_shop, threads)


def test_a_lone_question_waits_for_nobody(questions: Questions) -> None:
    async def turns() -> int:
        answer, taken = questions.ask(0), 0
        while not answer.done():
            await asyncio.sleep(0)
            taken += 1
        return taken

    assert asyncio.run(turns()) <= 3
    assert questions.counted.rows == [1]


def test_who_comes_a_turn_later_is_answered_with_those_before(questions: Questions) -> None:
    async def asked() -> list[Single | None]:
        answers = [questions.ask(0), questions.ask(1)]
        await asyncio.sleep(0)
        answers.append(questions.ask(2))
        return await asyncio.gather(*answers)

    together = asyncio.run(asked())
    assert questions.counted.rows == [3]
    alone = [asyncio.run(_one(questions, user)) for user in range(3)]
    assert _points(together) == pytest.approx(_points(alone), abs=1e-6)


def test_nobody_waits_for_ever_while_others_come(questions: Questions) -> None:
    async def asked() -> int:
        answers = [questions.ask(0)]
        while not answers[0].done():
            await asyncio.sleep(0)
            answers.append(questions.ask(len(answers)))
        await asyncio.gather(*answers)
        return questions.counted.rows[0]

    assert asyncio.run(asked()) == MOST_TURNS


def test_enough_are_answered_at_once(questions: Questions) -> None:
    async def asked() -> None:
        answers = [questions.ask(user) for user in range(INLINE_ROWS)]
        await asyncio.sleep(0)
        answers.append(questions.ask(0))
        await asyncio.gather(*answers)

    asyncio.run(asked())
    assert questions.counted.rows == [INLINE_ROWS, 1]


def test_who_is_unknown_gets_nothing_and_the_others_their_answers(questions: Questions) -> None:
    async def asked() -> list[Single | None]:
        return await asyncio.gather(questions.ask(0), questions.ask_for("nobody"), questions.ask(1))

    first, nobody, last = asyncio.run(asked())
    assert nobody is None
    assert questions.counted.rows == [2]
    alone = [asyncio.run(_one(questions, user)) for user in range(2)]
    assert _points([first, last]) == pytest.approx(_points(alone), abs=1e-6)


async def _one(questions: Questions, user: int) -> Single | None:
    return await questions.ask(user)


def _points(answers: list[Single | None]) -> list[float]:
    return [answer.point for answer in answers if answer is not None]
