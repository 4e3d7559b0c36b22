"""What another version would have said: asked off the hot path, and logged beside the answer.

While a dataset has the alias `shadow`, what is predicted online is asked of that version too, as of
the same moment, by a thread of its own. The way there has a bound: what does not fit is dropped and
counted, and nobody waits.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from app.domain.prediction_chunks import AnswerRows
from app.domain.predictions import Basis, Question, answer
from app.domain.served import ServedDataset
from app.errors import ServiceError, Unavailable
from model.prediction import Predictions
from model.tasks import Task

logger = logging.getLogger(__name__)

SHADOW = "shadow"
"""The alias of the version that is asked beside the one that answers."""

MAX_REQUESTS = 256
"""So many requests may wait to be asked again."""
MAX_ANSWERS = 50_000
"""So many answers may they have, unless one request alone has more."""


@dataclass(frozen=True)
class Said:
    """What both versions say of some entities, by one task at one moment.

    Attributes:
        dataset_id: whose.
        version: number of the version that answered.
        shadow: number of the shadow.
        task: of both.
        cutoff_us: when.
        answered: what was answered.
        shadowed: what the shadow says, of the same entities in the same order.
    """

    dataset_id: int
    version: int
    shadow: int
    task: Task
    cutoff_us: int
    answered: AnswerRows
    shadowed: AnswerRows


Write = Callable[[Sequence[Said]], None]
Prepare = Callable[[str, str], ServedDataset]


class Shadow:
    """The way from the hot path to the log.

    Args:
        write: stores what both said.
        prepare: makes a version of a dataset ready, by their names.
        share: of the requests that are asked again.
    """

    def __init__(self, write: Write, prepare: Prepare, share: float = 1.0) -> None:
        self._write = write
        self._prepare = prepare
        self._share = share
        self._waiting: deque[tuple[Basis, Question]] = deque()
        self._wake = threading.Condition()
        self._answers = 0
        self._busy = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.dropped: Counter[int] = Counter()
        """Requests that found no room, or could not be asked again, by the dataset's id."""

    @staticmethod
    def wants(basis: Basis) -> bool:
        """Whether there is another version to be asked; cheap enough for every request."""
        return basis.dataset.aliases.get(SHADOW, basis.model.number) != basis.model.number

    def offer(self, basis: Basis, question: Question) -> None:
        """Ask this again of the shadow, if the dataset has one; never waits.

        Args:
            basis: what it was answered from.
            question: what was answered.
        """
        if not self.wants(basis) or random.random() >= self._share:  # noqa: S311
            return
        with self._wake:
            is_full = len(self._waiting) >= MAX_REQUESTS or (
                len(self._waiting) > 0 and self._answers + question.size > MAX_ANSWERS
            )
            if is_full:
                self.dropped[basis.dataset.dataset_id] += 1
                return
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()
            self._waiting.append((basis, question))
            self._answers += question.size
            self._wake.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; whether that came to be in time."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """End the thread; what waits is forgotten."""
        with self._wake:
            self._stopping = True
            self._waiting.clear()
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._busy = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                taken = list(self._waiting)
                self._waiting.clear()
                self._answers = 0
                self._busy = True
            self._ask(taken)

    def _ask(self, taken: Sequence[tuple[Basis, Question]]) -> None:
        said: list[Said] = []
        for basis, question in taken:
            try:
                said += self._of_both(basis, question)
            except Exception as error:
                self.dropped[basis.dataset.dataset_id] += 1
                if not isinstance(error, ServiceError):
                    logger.exception("the shadow of dataset %r did not answer", basis.dataset.name)
        try:
            if said:
                self._write(said)
        except Exception:
            for one in said:
                self.dropped[one.dataset_id] += 1
            logger.exception("what the shadow said cannot be stored")

    def _of_both(self, basis: Basis, question: Question) -> Iterator[Said]:
        model = basis.dataset.model(SHADOW)
        if model is None:
            # A version that nobody asks for is not ready yet: then it is from now on.
            prepared = self._prepare(basis.dataset.name, SHADOW)
            model = prepared.model(SHADOW)
            if model is None or prepared.log.base is not basis.dataset.log.base:
                raise Unavailable(f"the shadow of {basis.dataset.name!r} was made ready just now")
        common = [task for task in question.tasks if model.tasks.get(task.name) == task]
        asked = Question(common, question.entities, question.is_in_url)
        if not common:
            return
        other = Basis(basis.dataset, model, basis.cutoff_us)
        for own, shadowed in zip(answer(basis, asked), answer(other, asked), strict=True):
            yield Said(
                basis.dataset.dataset_id,
                basis.model.number,
                model.number,
                own.task,
                basis.cutoff_us,
                _rows(own),
                _rows(shadowed),
            )


def _rows(told: Predictions) -> AnswerRows:
    return AnswerRows(
        entity_ids=pa.array(told.entity_ids, pa.string()),
        item_ids=None if told.item_ids is None else pa.array(told.item_ids, pa.string()),
        point=told.point,
        cold_start=told.cold_start,
        parameters=told.distribution.parameters.astype("float32"),
    )
