"""The worker's loop: take back overdue jobs, claim the next one, see it through."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Mapping

import structlog

from app.db.engine import make_engine, make_session_factory, transaction
from app.jobs.claim import Limits, claim, is_waiting
from app.jobs.lease import Run
from app.settings import Settings
from app.worker.children import Children
from app.worker.handlers import HANDLERS, PREPARED
from app.worker.pulse import Pulse
from app.worker.supervision import Supervision, Surroundings
from app.worker.takeover import take_back
from app.worker.timekeeping import timekeeping

_REST_AFTER_ERROR_S = 1.0

log = structlog.get_logger(__name__)


def run_until_signalled(settings: Settings, *, handlers: Mapping[str, str] = HANDLERS) -> None:
    """Run jobs in this process until SIGTERM or SIGINT; must be called in the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    run_worker(settings, stopping, handlers=handlers)


def run_worker(
    settings: Settings,
    stopping: threading.Event,
    *,
    handlers: Mapping[str, str] = HANDLERS,
) -> None:
    """Run jobs, one at a time, until `stopping` is set; a job that runs then is handed back.

    Args:
        settings: where the database is, and how long a lease lasts.
        stopping: ends the worker, within about a second.
        handlers: import string of the handler by the kind of job; other kinds are left alone.
    """
    # A worker that is stopped while it holds its job's row must not keep others from taking over.
    engine = make_engine(settings.resolved_database_url, idle_transaction_s=settings.lease_s)
    pulse = Pulse(settings.pulse_file)
    sessions = make_session_factory(engine)
    surroundings = Surroundings(settings, sessions, stopping, pulse)
    worker = Worker(surroundings, handlers)
    log.info("worker started", worker=worker.name)
    try:
        with timekeeping(settings, sessions):
            while not stopping.is_set():
                _turn(worker, surroundings)
    finally:
        worker.close()
        engine.dispose()
        log.info("worker stopped", worker=worker.name)


def _turn(worker: Worker, surroundings: Surroundings) -> None:
    try:
        found = worker.step()
    except Exception:
        # One bad turn, e.g. the database is away, must not end the worker.
        log.exception("the worker's turn failed", worker=worker.name)
        surroundings.stopping.wait(_REST_AFTER_ERROR_S)
    else:
        surroundings.pulse.beat()
        if not found:
            worker.rest()
            surroundings.stopping.wait(surroundings.settings.poll_s)


class Worker:
    """One worker of the pool that shares the database."""

    def __init__(self, surroundings: Surroundings, handlers: Mapping[str, str]) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._surroundings = surroundings
        self._settings = surroundings.settings
        self._sessions = surroundings.sessions
        self._handlers = handlers
        self._children = Children()
        self._limits = Limits(
            self._settings.max_running_jobs, self._settings.max_running_jobs_per_dataset
        )

    def step(self) -> bool:
        """Run the next job to its end; False if there was none."""
        take_back(self._sessions, self._settings)
        with transaction(self._sessions, write=False) as session:
            waiting = is_waiting(session, self._handlers, self._limits)
        claimed_monotonic = time.monotonic()
        run = self._claim() if waiting else None
        if run is None:
            return False
        log.info("run started", job=run.job_id, run_token=run.run_token, worker=self.name)
        handler = self._handlers[run.kind]
        Supervision(run, handler, self._surroundings, claimed_monotonic, self._children).watch()
        if run.kind in PREPARED and not self._surroundings.stopping.is_set():
            self._children.prepare(handler)
        return True

    def rest(self) -> None:
        """To be called when there was no job."""
        self._children.rest()

    def close(self) -> None:
        """End what was kept ready for the next job."""
        self._children.close()

    def _claim(self) -> Run | None:
        with transaction(self._sessions) as session:
            return claim(
                session,
                worker=self.name,
                kinds=list(self._handlers),
                lease_s=self._settings.lease_s,
                limits=self._limits,
            )
