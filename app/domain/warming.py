"""Before a process says that it is ready it loads the champions, and predicts once with each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Alias, Dataset
from app.domain.model_versions import CHAMPION
from app.domain.served import ServedDataset, ServedModel
from app.domain.serving import Serving
from app.errors import ServiceError
from model.snapshots import Rows

_REST_S = 1.0

logger = logging.getLogger(__name__)


def _nothing() -> None:
    """What is done last unless somebody else says so."""


class Warming:
    """Loads in a thread what will be asked for.

    Attributes:
        done: set when all is loaded that can be.
        last: is called just before.

    Args:
        sessions: the database.
        serving: where it is loaded.
        capacity: how many champions, the newest first.
    """

    def __init__(self, sessions: sessionmaker[Session], serving: Serving, capacity: int) -> None:
        self._sessions = sessions
        self._serving = serving
        self._capacity = capacity
        self._closed = threading.Event()
        self.done = threading.Event()
        self.last: Callable[[], None] = _nothing
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once; `done` is set when all is loaded that can be."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._warm, name="warming", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Do not begin with another one."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def reason(self) -> str | None:
        """Why the process is not ready yet; None if it is."""
        return None if self.done.is_set() else "models are being loaded: wait a moment"

    def _warm(self) -> None:
        while not self._closed.is_set():
            try:
                names = self._champions()
            except SQLAlchemyError as error:  # away, or not migrated yet: other checks say so
                logger.warning("the champions cannot be looked up yet: %s", error)
                self._closed.wait(_REST_S)
                continue
            for name in names:
                if not self._closed.is_set():
                    self._load(name)
            self.last()
            self.done.set()
            return

    def _champions(self) -> list[str]:
        query = select(Dataset.name).join(Alias, Alias.dataset_id == Dataset.id)
        newest = query.where(Alias.name == CHAMPION).order_by(Alias.updated_at.desc())
        with transaction(self._sessions, write=False) as session:
            return list(session.scalars(newest.limit(self._capacity)))

    def _load(self, name: str) -> None:
        try:
            served = self._serving.prepare(name, CHAMPION)
            if served.champion is not None:
                rehearse(served, served.champion)
        except ServiceError as error:
            logger.error("the champion of %r is not ready: %s", name, error.detail)
        except Exception:
            logger.exception("the champion of %r is not ready", name)


def rehearse(served: ServedDataset, model: ServedModel) -> None:
    """Predict once of each kind, so that all code is loaded and compiled that a request needs."""
    log = served.log
    first = np.zeros(1, dtype=np.int64)
    for kind in {task.entity for task in model.tasks.values()}:
        sides = {"user": len(log.base.users), "item": len(log.base.items)}
        asked = [side for side in sides if kind in {side, "pair"}]
        if not all(sides[side] for side in asked):
            continue
        users, items = (first if side in asked else None for side in ("user", "item"))
        rows = Rows.of(kind, users, items, served.cutoff_us(model))
        scorer = model.predictor.scorer(kind)
        flat = scorer.score(model.reader.read(log, rows), log.base)
        for task in model.tasks.values():
            if task.entity == kind:
                scorer.distribution(task.name, flat).answers()
    log.code("user", "")
    log.code("item", "")
