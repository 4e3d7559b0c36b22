"""The edge of a prediction: from names to what answers, without a query where memory knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson

from app.domain import predictions
from app.domain.asked_entities import AskedEntities
from app.domain.cutoffs import basis_of
from app.domain.gathering import Gatherer
from app.domain.predictions import Basis, Question
from app.domain.served import ServedDataset, ServedModel
from app.domain.serving import Serving
from app.domain.shadow import Shadow
from app.domain.stored_predictions import Entity
from app.errors import FieldError, Invalid, NotFound
from model.tasks import EntityKind, Task

BATCHES_AT_ONCE = 2
_PREPARING_AT_ONCE = 4
_ATTEMPTS = 5

Result = TypeVar("Result")


class Predicting:
    """Answers questions for one process.

    Args:
        serving: the datasets in memory.
        shadow: is asked again what was answered.
    """

    def __init__(self, serving: Serving, shadow: Shadow) -> None:
        self.serving = serving
        self.shadow = shadow
        self._batches = ThreadPoolExecutor(BATCHES_AT_ONCE, "batches")
        self._preparing = ThreadPoolExecutor(_PREPARING_AT_ONCE, "preparing")
        self._gatherer = Gatherer(self._batches)
        self._waiting: dict[tuple[str, ...], asyncio.Future[ServedDataset]] = {}

    def close(self) -> None:
        """End the threads."""
        self.shadow.close()
        self.serving.close()
        self._batches.shutdown(wait=False, cancel_futures=True)
        self._preparing.shutdown(wait=False, cancel_futures=True)

    async def single(
        self,
        dataset: str,
        task: str,
        entity_id: str,
        item: str | None,
        version: str,
        as_of: str | None,
    ) -> bytes:
        """One task's answer for one entity, as JSON.

        Args:
            dataset: its name.
            task: its name.
            entity_id: user or item; of a pair the user.
            item: of a pair.
            version: a number or an alias.
            as_of: when; see `basis_of`.

        Raises:
            ServiceError: see `Serving.prepare`, `choose_tasks`, `rows_of` and `basis_of`.
        """
        basis = await self.basis(dataset, version, [task], as_of)
        asked = basis.model.tasks[task]
        whom = entity_of(asked, entity_id, item)
        answer = await self._gatherer.ask(basis, asked, whom)
        if answer is None:
            question = Question([asked], {asked.entity: AskedEntities.alone(whom)}, is_in_url=True)
            basis = await self.settled(basis, question, as_of)
            answer = await self._gatherer.ask(basis, asked, whom)
            assert answer is not None
        if self.shadow.wants(basis):
            self.shadow.offer(basis, Question([asked], {asked.entity: AskedEntities.alone(whom)}))
        return orjson.dumps(
            {
                **head_of(asked, whom, basis),
                "cold_start": answer.is_cold,
                "point": answer.point,
                **answer.distribution,
            }
        )

    async def basis(
        self, dataset: str, version: str, tasks: Sequence[str], as_of: str | None
    ) -> Basis:
        """What answers, knowing the tasks.

        Raises:
            ServiceError: see `single`.
        """
        served, model = await self._ready(dataset, version, tasks)
        if any(name not in model.tasks for name in tasks):
            await self.in_thread(lambda: self.serving.refuse_tasks(dataset, model.number, tasks))
        return basis_of(served, model, as_of)

    async def settled(self, basis: Basis, question: Question, as_of: str | None) -> Basis:
        """The basis once what was imported by now is there, for a question about unknown ids.

        Raises:
            NotFound: some are unknown all the same.
        """
        name, number = basis.dataset.name, str(basis.model.number)
        served = await self.in_thread(lambda: self.serving.settled(name))
        model = None if served is None else served.model(number)
        if served is not None and model is not None:
            basis = basis_of(served, model, as_of)
        predictions.rows_of(basis, question)
        return basis

    async def up_to_date(self, dataset: str, version: str, tasks: Sequence[str] = ()) -> Basis:
        """What answers once what was imported by now is there, for whoever can wait for it.

        Raises:
            ServiceError: see `single`.
        """
        basis = await self.basis(dataset, version, tasks, None)
        served = await self.in_thread(lambda: self.serving.settled(dataset))
        model = None if served is None else served.model(str(basis.model.number))
        return basis if served is None or model is None else basis_of(served, model, None)

    async def in_batch(self, work: Callable[[], Result]) -> Result:
        """Do it in a thread of the batches; a few at a time, the others wait."""
        return await asyncio.get_running_loop().run_in_executor(self._batches, work)

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Do what waits for files or the database in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._preparing, work)

    async def _ready(
        self, dataset: str, version: str, tasks: Sequence[str]
    ) -> tuple[ServedDataset, ServedModel]:
        served = self.serving.find(dataset)
        model = None if served is None else served.model(version)
        for _ in range(_ATTEMPTS):
            if served is not None and model is not None:
                return served, model
            served = await self._prepared(dataset, version, tasks)
            model = served.model(version)
        raise NotFound(f"version {version!r} of dataset {dataset!r} was moved: ask again")

    async def _prepared(self, dataset: str, version: str, tasks: Sequence[str]) -> ServedDataset:
        """All who wait for the same wait together."""
        key = dataset, version, *tasks
        waiting = self._waiting.get(key)
        if waiting is None:
            prepare = self.in_thread(lambda: self.serving.prepare(dataset, version, tasks))
            waiting = self._waiting[key] = asyncio.ensure_future(prepare)
            waiting.add_done_callback(lambda _: self._waiting.pop(key, None))
        return await asyncio.shield(waiting)


def head_of(task: Task, entity: Entity, basis: Basis) -> dict[str, Any]:
    """What all answers begin with."""
    return {"task": task.name, **whom_of(task.entity, entity.entity_id, entity.item_id, basis)}


def whom_of(
    kind: EntityKind, ids: str | list[str], item_ids: str | list[str] | None, basis: Basis
) -> dict[str, Any]:
    """Of whom something is said, one or many, and by what."""
    return {
        "entity": kind,
        "user": None if kind == "item" else ids,
        "item": None if kind == "user" else (item_ids if kind == "pair" else ids),
        "model_version": basis.model.number,
        "cutoff_at": basis.cutoff_at,
    }


def entity_of(task: Task, entity_id: str, item: str | None) -> Entity:
    """Whom a task is asked for, if the task is about such."""
    if task.entity == "pair" and item is None:
        raise invalid(
            "/query/item",
            f"task {task.name!r} is about a user with an item: add `?item=` with the item's id",
        )
    if task.entity != "pair" and item is not None:
        raise invalid("/query/item", f"task {task.name!r} is for {task.entity}s: leave `item` out")
    return Entity(entity_id, item or "")


def invalid(pointer: str, detail: str) -> Invalid:
    """The error of one field."""
    return Invalid(detail, errors=(FieldError(pointer, detail, "invalid"),))
