"""Single predictions that arrive together are computed together.

What is asked is scored as one batch once a turn of the event loop brings nobody else, without a
timer: a lone request waits for nobody, many at once share what a batch costs. Requests that follow
answers come while the last of these are written, so that one turn alone would split them in two.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.asked_entities import AskedEntities
from app.domain.predictions import CHUNK_ROWS, Basis, codes_of
from app.domain.stored_predictions import Entity
from model.prediction import Scorer, chunks
from model.snapshots import Rows
from model.tasks import Task

INLINE_ROWS = 64
"""More than so many together are scored in a thread."""

MOST_TURNS = 4
"""So many turns of the event loop may bring more before what is there is scored."""


class Single(NamedTuple):
    """One task's answer for one entity.

    Attributes:
        point: what a ranking sorts by.
        is_cold: whether nothing is known of the entity.
        distribution: as JSON.
    """

    point: float
    is_cold: bool
    distribution: dict[str, Any]


Answers = Sequence[Single | None]


class _Asked(NamedTuple):
    basis: Basis
    task: Task
    entity: Entity
    answer: asyncio.Future[Single | None]


class Gatherer:
    """Gathers what is asked in one event loop.

    Args:
        threads: where larger batches are scored.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._waiting: list[_Asked] = []

    def ask(self, basis: Basis, task: Task, entity: Entity) -> asyncio.Future[Single | None]:
        """One task's answer for one entity; None if it is unknown.

        Args:
            basis: what it is computed from.
            task: one of the model's.
            entity: of its kind.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(basis, task, entity, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._look, loop, 0, 1)
        self._waiting.append(asked)
        return asked.answer

    def _look(self, loop: asyncio.AbstractEventLoop, known: int, turn: int) -> None:
        """Score what waits, unless more came since so many were known: then see who comes next."""
        count = len(self._waiting)
        if known < count < INLINE_ROWS and turn < MOST_TURNS:
            loop.call_soon(self._look, loop, count, turn + 1)
        else:
            self._flush(loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        batches = defaultdict(list)
        for asked in waiting:
            basis = asked.basis
            batches[id(basis.model), id(basis.dataset.log), asked.task.entity].append(asked)
        for batch in batches.values():
            if len(batch) <= INLINE_ROWS:
                _tell(batch, *_tried(batch))
            else:
                found = loop.run_in_executor(self._threads, _tried, batch)
                found.add_done_callback(partial(_tell_all, batch))


def _tried(batch: Sequence[_Asked]) -> tuple[Answers, Exception | None]:
    try:
        return _answered(batch), None
    except Exception as error:  # noqa: BLE001 (told to all who wait)
        return [], error


def _tell_all(
    batch: Sequence[_Asked], done: asyncio.Future[tuple[Answers, Exception | None]]
) -> None:
    _tell(batch, *done.result())


def _tell(batch: Sequence[_Asked], answers: Answers, error: Exception | None) -> None:
    for place, asked in enumerate(batch):
        if asked.answer.done():  # whoever asked has gone away
            continue
        if error is None:
            asked.answer.set_result(answers[place])
        else:
            asked.answer.set_exception(error)


def _answered(batch: Sequence[_Asked]) -> Answers:
    basis, kind = batch[0].basis, batch[0].task.entity
    coded = codes_of(basis.dataset, kind, AskedEntities.of([asked.entity for asked in batch]))
    if min(codes.min() for codes in coded.values()) < 0:
        is_known = np.logical_and.reduce([codes >= 0 for codes in coded.values()])
        return _answered_if(is_known.tolist(), batch)
    log, model = basis.dataset.log, basis.model
    nobody = np.full(len(batch), -1, dtype=np.int64)
    rows = Rows(
        kind=kind,
        users=coded.get("user", nobody),
        items=coded.get("item", nobody),
        cutoffs_us=np.array([asked.basis.cutoff_us for asked in batch], dtype=np.int64),
    )
    scorer = model.predictor.scorer(kind)
    if len(batch) <= CHUNK_ROWS:
        read = model.reader.read(log, rows)
        return _told(batch, scorer, scorer.score(read, log.base), read.is_cold.tolist())
    answers: list[Single | None] = []
    for part in chunks(len(batch), CHUNK_ROWS):
        read = model.reader.read(log, rows.take(part))
        flat = scorer.score(read, log.base)
        answers += _told(batch[part], scorer, flat, read.is_cold.tolist())
    return answers


def _answered_if(is_known: Sequence[bool], batch: Sequence[_Asked]) -> Answers:
    """The answers of those that are known; None for the others."""
    known = [asked for asked, one in zip(batch, is_known, strict=True) if one]
    answers = iter(_answered(known) if known else [])
    return [next(answers) if one else None for one in is_known]


def _told(
    batch: Sequence[_Asked], scorer: Scorer, flat: NDArray[np.float32], cold: list[bool]
) -> list[Single]:
    """What the flat parameters say of each one's task."""
    places: dict[str, list[int]] = defaultdict(list)
    for row, asked in enumerate(batch):
        places[asked.task.name].append(row)
    answers: dict[int, Single] = {}
    for name, own in places.items():
        distribution = scorer.distribution(name, flat if len(own) == len(flat) else flat[own])
        told = zip(own, distribution.point.tolist(), distribution.answers(), strict=True)
        for row, point, document in told:
            answers[row] = Single(point, cold[row], document)
    return [answers[row] for row in range(len(batch))]
