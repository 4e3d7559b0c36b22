"""Follow a job by server-sent events, replayed from the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
from fastapi.sse import ServerSentEvent
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import DATABASE_AWAY, transaction
from app.domain.training_jobs import has_ended, job_history

_BATCH = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Follower:
    """Reads the history of one job as it grows.

    Attributes:
        stopping: set when the service is about to end; the client comes back later and goes on
            after the last event that it saw.
    """

    sessions: sessionmaker[Session]
    job_id: str
    poll_s: float
    stopping: threading.Event

    async def events(self, after: int) -> AsyncIterator[ServerSentEvent]:
        """All events after this id, then the new ones, until the job has ended."""
        while not self.stopping.is_set():
            batch, ended = await anyio.to_thread.run_sync(self._try_to_read, after)
            for event in batch:
                yield event
                after = int(event.id or after)
            if ended and not batch:
                return
            if not batch:
                await anyio.sleep(self.poll_s)

    def _try_to_read(self, after: int) -> tuple[list[ServerSentEvent], bool]:
        try:
            return self._read(after)
        except DATABASE_AWAY as error:
            # A stream that has begun cannot answer 503 any more; the database may come back.
            logger.warning("the history of job %s cannot be read", self.job_id, exc_info=error)
            return [], False

    def _read(self, after: int) -> tuple[list[ServerSentEvent], bool]:
        with transaction(self.sessions, write=False) as session:
            # Asked first: what is written later is then read in the next turn.
            ended = has_ended(session, self.job_id)
            history = job_history(session, self.job_id, after=after, limit=_BATCH)
        events = [
            ServerSentEvent(
                id=str(event.id),
                event=event.kind,
                data={"at": event.created_at.isoformat(), **event.data},
            )
            for event in history
        ]
        return events, ended
