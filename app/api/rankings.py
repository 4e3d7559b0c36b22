"""Rankings over HTTP: who or what comes first by a task, and which items suit one user best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query

from app.api.dependencies import DatasetName, Predictors, SessionFactory, TaskName
from app.api.pagination import Page, PageRequest, Pagination
from app.api.predicting import Predicting, invalid
from app.api.prediction_schemas import Id, Prediction, shown
from app.api.predictions import AsOf, Version
from app.db.engine import transaction
from app.domain.aliases import find_version
from app.domain.best_items import best_items
from app.domain.cutoffs import basis_of
from app.domain.datasets import get_dataset
from app.domain.model_versions import CHAMPION
from app.domain.predictions import Basis, choose_tasks
from app.domain.stored_predictions import Answer, Entity, current_ranking, rank, ranking_of_set
from app.errors import Invalid
from model.events import to_datetime

router = APIRouter(tags=["predictions"], prefix="/datasets/{dataset}")

UserFilter = Annotated[
    Id | None, Query(description="the items of this user, for tasks about pairs")
]
Order = Literal["desc", "asc"]


@router.get(
    "/tasks/{task}/predictions",
    operation_id="rankPredictions",
    summary="Entities ranked by a prediction",
)
async def rank_predictions(
    sessions: SessionFactory,
    predicting: Predictors,
    pagination: Pagination,
    dataset: DatasetName,
    task: TaskName,
    order: Annotated[Order, Query(description="the largest point first, or the smallest")] = "desc",
    user: UserFilter = None,
    version: Version = CHAMPION,
    as_of: AsOf = None,
) -> Page[Prediction]:
    """All users or items by their point; of pairs the best items of each user. They are stored.

    The pages go on with the answers that the first one began with, also when the alias is moved or
    new ones are stored meanwhile.

    The items of one `user` are scored when they are asked for, as of now or `as_of`: those that
    the user met, and the popular ones.
    """
    asked = _Asked(dataset, task, order, version)
    if user is not None:
        return await _best_items(asked, user, as_of, pagination, predicting)
    if as_of is not None:
        raise invalid(
            "/query/as_of",
            "a ranking is of when its answers were stored: leave `as_of` out, or store others by "
            f"POST /v1/datasets/{dataset}/prediction-jobs with `as_of`",
        )
    return await to_thread.run_sync(_stored_page, asked, pagination, sessions)


@dataclass(frozen=True)
class _Asked:
    """What is ranked, and how."""

    dataset: str
    task: str
    order: Order
    version: str

    @property
    def descending(self) -> bool:
        """The largest point first."""
        return self.order == "desc"


@dataclass(frozen=True)
class _Place:
    """After which item a page begins, and what the first page was made with."""

    version: int
    cutoff_at: str | None
    point: float
    item: str


def _stored_page(
    asked: _Asked, pagination: PageRequest, sessions: SessionFactory
) -> Page[Prediction]:
    place = _place(pagination, asked.order)
    with transaction(sessions, write=False) as session:
        row = get_dataset(session, asked.dataset)
        if place is None:
            chosen = find_version(session, row, asked.version, [asked.task])
            (trained,) = choose_tasks(session, row, chosen, [asked.task])
            ranking, start = current_ranking(session, chosen, trained), 0
        else:
            ranking, start = ranking_of_set(session, row, place[0], asked.task), place[1]
        answers = rank(
            session, ranking, start=start, limit=pagination.limit, descending=asked.descending
        )
    stored = ranking.task
    if stored is None:
        return Page(items=[], next_cursor=None)
    return pagination.page(
        list(enumerate(answers, start + 1)),
        lambda ranked: shown(ranked[1], stored.task, ranking.version, ranking.cutoff_at),
        lambda ranked: [stored.set_id, asked.order, ranked[0]],
    )


async def _best_items(
    asked: _Asked, user: str, as_of: str | None, pagination: PageRequest, predicting: Predicting
) -> Page[Prediction]:
    place = _place_among_items(pagination, asked.order)
    version = asked.version if place is None else str(place.version)
    moment = as_of if place is None else place.cutoff_at
    basis = await predicting.basis(asked.dataset, version, [asked.task], moment)
    task = basis.model.tasks[asked.task]
    if task.entity != "pair":
        detail = f"task {task.name!r} is for {task.entity}s: leave `user` out"
        raise invalid("/query/user", detail)
    if basis.dataset.log.code("user", user) < 0:
        basis = await _settled(basis, moment, predicting)
    answers = await predicting.in_batch(lambda: best_items(basis, task, user))
    following = _after(answers, place, user, descending=asked.descending)
    cutoff_at = to_datetime(basis.cutoff_us)
    return pagination.page(
        following[: pagination.limit + 1],
        lambda answer: shown(answer, task, basis.model.number, cutoff_at),
        lambda answer: [
            basis.model.number,
            asked.order,
            basis.cutoff_at or "",
            answer.point,
            answer.entity.item_id,
        ],
    )


async def _settled(basis: Basis, moment: str | None, predicting: Predicting) -> Basis:
    """The basis once what was imported by now is there: the user may have come with that."""
    name, number = basis.dataset.name, str(basis.model.number)
    served = await predicting.in_thread(lambda: predicting.serving.settled(name))
    model = None if served is None else served.model(number)
    if served is None or model is None:
        return basis
    return basis_of(served, model, moment)


def _after(
    ascending: list[Answer], place: _Place | None, user: str, *, descending: bool
) -> list[Answer]:
    """In the order that is asked for, without the pages before."""
    answers = ascending[::-1] if descending else ascending
    if place is None:
        return answers
    last = (place.point, Entity(user, place.item))
    if descending:
        return [answer for answer in answers if (answer.point, answer.entity) < last]
    return [answer for answer in answers if (answer.point, answer.entity) > last]


def _place(pagination: PageRequest, order: Order) -> tuple[int, int] | None:
    """The prediction set that is read, and how many of its rows came before."""
    match pagination.after:
        case None:
            return None
        case [int(set_id), str(ordered), int(start)]:
            if ordered == order and 0 < set_id < 2**31 and 0 < start < 2**62:
                return set_id, start
    raise _bad_cursor(order)


def _place_among_items(pagination: PageRequest, order: Order) -> _Place | None:
    match pagination.after:
        case None:
            return None
        case [int(number), str(ordered), str(moment), float(point), str(item)]:
            if ordered == order and 0 < number < 2**31:
                return _Place(number, moment or None, point, item)
    raise _bad_cursor(order)


def _bad_cursor(order: Order) -> Invalid:
    return invalid("/query/cursor", f"not a cursor of this ranking in order {order!r}")
