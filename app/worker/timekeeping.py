"""What is due by the clock, whatever the worker is busy with: compaction, schedules, retention.

Every worker of the pool looks, in a thread of its own; who comes second finds it done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Schedule
from app.domain.compaction import compact, due_compactions
from app.domain.firing import due_schedules, fire
from app.domain.retention import retention_is_due, submit_retention
from app.settings import Settings

_PATIENCE_S = 1.0

log = structlog.get_logger(__name__)


class Timekeeper:
    """Looks at the clock every `schedule_check_s` seconds."""

    def __init__(self, settings: Settings, sessions: sessionmaker[Session]) -> None:
        self._settings = settings
        self._sessions = sessions
        self._told: dict[int, str] = {}  # since when a schedule is hindered, as it was logged

    def turn(self) -> None:
        """Do once what is due."""
        settings = self._settings
        interval_s = settings.retention_interval_s
        with transaction(self._sessions, write=False) as session:
            tails = due_compactions(session, settings.compaction_events, settings.compaction_age_s)
            due = due_schedules(session)
            retention = interval_s > 0 and retention_is_due(session, interval_s)
        for dataset_id in tails:
            self._compact(dataset_id)
        for schedule_id in due:
            self._fire(schedule_id)
        if retention:
            with transaction(self._sessions) as session:
                submit_retention(session, interval_s)

    def keep(self, stopping: threading.Event) -> None:
        """Turn until `stopping` is set."""
        while not stopping.wait(self._settings.schedule_check_s):
            try:
                self.turn()
            except Exception:
                # One bad turn, e.g. the database is away, must not end the clock.
                log.exception("the clock's turn failed")

    def _compact(self, dataset_id: int) -> None:
        try:
            events = compact(self._sessions, self._settings.data_dir, dataset_id)
        except Exception:
            log.exception("a compaction failed", dataset=dataset_id)  # the others still run
        else:
            log.info("events that were posted are a part now", dataset=dataset_id, events=events)

    def _fire(self, schedule_id: int) -> None:
        try:
            self._compact_before(schedule_id)
            with transaction(self._sessions) as session:
                fired = fire(session, schedule_id)
        except Exception:
            log.exception("a schedule failed", schedule=schedule_id)  # the others still run
            return
        if fired is None:
            return
        if fired.last_error is None:
            log.info("a schedule made a job", schedule=fired.name, job=fired.last_job_id)
        elif self._told.get(schedule_id) != fired.last_error["at"]:
            self._told[schedule_id] = fired.last_error["at"]
            log.warning("a schedule made no job", schedule=fired.name, **fired.last_error)

    def _compact_before(self, schedule_id: int) -> None:
        """A training learns from all that was posted before it."""
        with transaction(self._sessions, write=False) as session:
            schedule = session.get(Schedule, schedule_id)
        if schedule is not None:
            compact(self._sessions, self._settings.data_dir, schedule.dataset_id)


@contextmanager
def timekeeping(settings: Settings, sessions: sessionmaker[Session]) -> Iterator[None]:
    """While inside, what is due is done; at the end a busy database is not waited for."""
    ended = threading.Event()
    keeper = Timekeeper(settings, sessions)
    thread = threading.Thread(target=keeper.keep, args=(ended,), name="clock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_PATIENCE_S)
