"""The edge of an event batch: checked between transactions, stored in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import EventBatch
from app.domain import event_batches, idempotency
from app.domain.compaction import compact
from app.domain.datasets import batch_operation
from app.domain.event_batches import BatchTarget
from app.domain.idempotency import IdempotentRequest
from app.domain.serving import Serving
from app.errors import Conflict
from app.ingest.event_batch import check_batch, new_rows
from app.ingest.staging import Policy

_MOST_ATTEMPTS = 20


@dataclass(frozen=True)
class BatchOrder:
    """What the client sends, and perhaps under which idempotency key."""

    dataset: str
    events: Sequence[object]
    policy: Policy
    key: str | None
    fingerprint: str

    def request(self, dataset_id: int) -> IdempotentRequest | None:
        """The order as a request that names itself."""
        if self.key is None:
            return None
        return IdempotentRequest(batch_operation(dataset_id), self.key, self.fingerprint)


@dataclass(frozen=True)
class EventPoster:
    """Takes batches of events for the datasets of one service."""

    factory: sessionmaker[Session]
    data_dir: Path
    serving: Serving

    def run(self, order: BatchOrder) -> tuple[EventBatch, bool]:
        """Take a batch; when this returns, this process answers with its events.

        Returns:
            What became of it, and False if the same request made it earlier.

        Raises:
            ServiceError: Nothing was stored; the message says why.
        """
        for _ in range(_MOST_ATTEMPTS):
            target, earlier = self._look(order)
            if earlier is not None:
                return earlier, False
            row = self._attempt(order, target)
            if row is not None:
                self.serving.look()
                return row, True
        raise Conflict(
            f"imports into {order.dataset!r} came first, {_MOST_ATTEMPTS} times: try again"
        )

    def _look(self, order: BatchOrder) -> tuple[BatchTarget, EventBatch | None]:
        with transaction(self.factory, write=False) as session:
            target = event_batches.find_target(session, order.dataset, self.data_dir)
            earlier = idempotency.created_before(session, order.request(target.dataset_id))
            return target, None if earlier is None else session.get(EventBatch, int(earlier))

    def _attempt(self, order: BatchOrder, target: BatchTarget) -> EventBatch | None:
        """One try; None if the dataset has moved on since it was looked at."""
        batch = check_batch(order.events, target.convention, order.policy)
        try:
            new = new_rows(batch, target.parts)
        except FileNotFoundError:  # only a deleted dataset loses its parts; the next look says so
            return None
        with transaction(self.factory) as session:
            row = event_batches.add_batch(
                session,
                target,
                batch,
                new,
                order.policy.on_error,
                order.request(target.dataset_id),
            )
        if row is not None and not batch.has_time:
            # Without times an event is nobody's newest: it counts as soon as it is in the log.
            compact(self.factory, self.data_dir, target.dataset_id)
        return row
