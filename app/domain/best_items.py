"""Which items suit a user best, by a task about pairs: candidates are scored when asked for."""

from __future__ import annotations

import numpy as np

from app.domain.asked_entities import AskedEntities
from app.domain.predictions import Basis, Question, answer, answers_of
from app.domain.stored_predictions import Answer
from app.errors import FieldError, NotFound
from model.prediction import popular_items
from model.tasks import Task

OWN_ITEMS = 1000
"""So many of the items that the user met last are candidates, beside the popular ones."""


def best_items(basis: Basis, task: Task, user: str) -> list[Answer]:
    """The user's candidates, the smallest point first; they are scored in one batch.

    Raises:
        NotFound: the dataset does not know the user.
    """
    code = basis.dataset.log.code("user", user)
    if code < 0:
        detail = (
            f"unknown user {user!r}: it is in no event and in no table of dataset "
            f"{basis.dataset.name!r}"
        )
        raise NotFound(
            f"{detail}. Import it, then ask again",
            code="entity_not_found",
            errors=(FieldError("/query/user", detail, "unknown_user"),),
        )
    items = _candidates(basis, code)
    if not items:
        return []
    pairs = AskedEntities([user] * len(items), items)
    (told,) = answer(basis, Question([task], {"pair": pairs}))
    return sorted(answers_of(told), key=lambda one: (one.point, one.entity))


def _candidates(basis: Basis, code: int) -> list[str]:
    """Ids of what the user met last, and of what is popular in the log."""
    log = basis.dataset.log
    own = log.events_of_many("user", np.array([code]))
    met = own.counterpart[own.time_us <= basis.cutoff_us][::-1]
    met, first = np.unique(met[met >= 0], return_index=True)
    newest = met[np.argsort(first)][:OWN_ITEMS]
    popular = popular_items(basis.model.predictor.reader(log.base), basis.cutoff_us)
    return [log.id_of("item", int(item)) for item in np.union1d(newest, popular)]
