"""What a fresh model says about everybody, as rows of the prediction table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from app.domain.predictions import answers_of
from model.events import Entities, EventLog
from model.prediction import Predictions, Predictor
from model.tasks import EntityKind

_CHUNK = 8192
BEST_ITEMS = 10
"""How many items are kept per user and pair task; any other pair is computed when asked for."""


def answer_everything(predictor: Predictor, log: EventLog) -> Iterator[Predictions]:
    """All tasks for all users and items that the log knows, and each user's best items.

    In chunks of entities, so that the caller may stop in between.
    """
    tables: dict[EntityKind, Entities] = {"user": log.users, "item": log.items}
    for entity, table in tables.items():
        names = _names(predictor, entity)
        ids = [str(name) for name in table.ids] if names else []
        for start in range(0, len(ids), _CHUNK):
            yield from predictor.predict(log, names, ids[start : start + _CHUNK]).values()
    names = _names(predictor, "pair")
    if names:
        for pairs in _whole_users(predictor.candidate_pairs(log)):
            for answer in predictor.predict_pairs(log, names, pairs).values():
                yield best_of_each_user(answer, BEST_ITEMS)


def rows_of(answer: Predictions) -> Iterator[dict[str, Any]]:
    """The rows of the prediction table, without their model version."""
    for task, entity, point, cold_start, distribution in answers_of(answer):
        yield {
            "task": task,
            "entity_id": entity.entity_id,
            "item_id": entity.item_id,
            "point": point,
            "cold_start": cold_start,
            "distribution": distribution,
        }


def best_of_each_user(answer: Predictions, limit: int) -> Predictions:
    """The pairs with the largest points, at most `limit` per user; pairs of a user lie together."""
    assert answer.item_ids is not None
    users = np.asarray(answer.entity_ids, dtype=object)
    is_first = np.append(True, users[1:] != users[:-1])[: len(users)]
    user = np.cumsum(is_first)
    order = np.lexsort((-answer.point, user))  # stable: among equal points the earlier pair
    starts = np.flatnonzero(is_first)
    rank = np.arange(len(order)) - starts[user[order] - 1]
    kept = order[rank < limit]
    return replace(
        answer,
        entity_ids=[answer.entity_ids[row] for row in kept],
        item_ids=[answer.item_ids[row] for row in kept],
        cold_start=answer.cold_start[kept],
        distribution=replace(answer.distribution, parameters=answer.distribution.parameters[kept]),
    )


def _whole_users(pairs: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Chunks that part no user's pairs."""
    chunk: list[tuple[str, str]] = []
    for _, own in groupby(pairs, key=itemgetter(0)):
        chunk.extend(own)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _names(predictor: Predictor, entity: EntityKind) -> list[str]:
    return [name for name, task in predictor.tasks.items() if task.entity == entity]
