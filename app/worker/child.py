"""The child process: one run of one job, which it may be told of some time after its start."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import traceback
from multiprocessing.connection import Connection

from app.db.engine import TRANSACTION_LOST
from app.errors import ServiceError
from app.jobs.ending import Failure
from app.jobs.errors import CancelRequested
from app.logs import route_logging
from app.worker.handlers import load_handler
from app.worker.job_run import JobRun
from app.worker.lifeline import Lifeline, abandon, die_with
from app.worker.messages import Assignment
from model.errors import SSMTLError

_NICENESS = 5  # the API goes first


def main(connection: Connection[object, object], worker_pid: int, prepare: str | None) -> None:
    """Run a handler and tell the worker if it failed; the worker alone decides about signals.

    Args:
        connection: to the worker.
        worker_pid: who that is.
        prepare: the handler that will probably be needed; None to wait for what is.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with(worker_pid)
    os.nice(_NICENESS)
    if prepare is not None:
        load_handler(prepare)
        gc.freeze()
    try:
        assignment = connection.recv()
    except (EOFError, OSError):
        abandon()
    assert isinstance(assignment, Assignment)
    lifeline = Lifeline(connection, assignment.lease)
    lifeline.tie()
    job = JobRun(assignment.run, assignment.settings, lifeline)
    route_logging([_JobLogHandler(job)], assignment.settings.log_level)
    failure = _run_handler(job, assignment.handler)
    if failure is not None:
        lifeline.send(failure)


def _run_handler(job: JobRun, handler: str) -> Failure | None:
    try:
        load_handler(handler)(job)
    except Exception as error:  # noqa: BLE001  (whatever goes wrong is the job's answer)
        return _explain(job, error)
    if not job.is_finished:
        return Failure("internal_error", f"the handler {handler} ended without storing a result")
    return None


def _explain(job: JobRun, error: Exception) -> Failure:
    if isinstance(error, CancelRequested):
        return Failure("stopped", str(error))
    if isinstance(error, SSMTLError):
        return Failure(error.code, str(error))
    if isinstance(error, ServiceError):
        return Failure(error.code, error.detail)
    job.log("the job failed", level="error", exception=traceback.format_exc())
    if isinstance(error, TRANSACTION_LOST):
        message = f"the database did not answer: {error.orig}. See the job's log, then train again"
        return Failure("database_unavailable", message, is_transient=True)
    if isinstance(error, MemoryError):
        message = "the machine has too little memory: train with fewer tasks or less data"
        return Failure("out_of_memory", message)
    reason = "".join(traceback.format_exception_only(error)).splitlines()[0]
    if os.strerror(errno.ENOSPC) in reason:  # not all libraries give the number
        message = f"{reason}. Free some space for {job.settings.data_dir}, then train again"
        return Failure("disk_full", message)
    return Failure("internal_error", f"{reason}. A fault of the service: see the job's log")


class _JobLogHandler(logging.Handler):
    """Whatever is logged in the child is a line of the job's log."""

    def __init__(self, job: JobRun) -> None:
        super().__init__()
        self._job = job

    def emit(self, record: logging.LogRecord) -> None:
        # structlog hands its event over as a dict, the standard library as a message.
        fields = dict(record.msg) if isinstance(record.msg, dict) else {}
        message = fields.pop("event", None) or record.getMessage()
        for name in (
            "level",
            "logger",
            "timestamp",
            "_record",
            "_from_structlog",
            "_logger",
            "_name",
        ):
            fields.pop(name, None)
        if record.exc_info:
            fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
        self._job.log(str(message), level=record.levelname.lower(), **fields)
