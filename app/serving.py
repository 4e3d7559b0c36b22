"""`ssmtl serve`: the API and, in a thread of the same process, a worker."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

import pyarrow as pa
import uvicorn
from fastapi import FastAPI

from app.db.migrate import upgrade
from app.http_protocol import HTTPProtocol
from app.logs import configure_logging
from app.main import create_app
from app.settings import Settings
from app.worker.handlers import HANDLERS

_GRACEFUL_SHUTDOWN_S = 5
_SWITCH_S = 1e-4
"""After so long a thread that computes gives the interpreter to one that waits for it: a single
prediction lets go of it a dozen times, and a batch beside it would keep it 5 ms each time."""


class _Server(uvicorn.Server):
    """Says at once that the service is about to end: open event streams wait for that."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().handle_exit(sig, frame)


def serve(
    settings: Settings,
    *,
    handlers: Mapping[str, str] = HANDLERS,
    build: Callable[[Settings], FastAPI] = create_app,
) -> None:
    """Migrate the database and serve until SIGTERM or SIGINT; a running job is handed back."""
    configure_logging(settings.log_level)
    sys.setswitchinterval(_SWITCH_S)
    pa.set_memory_pool(pa.system_memory_pool())  # its own takes 12 MiB before it is used
    upgrade(settings.resolved_database_url)
    app = build(settings)
    settle()
    app.state.warming.last = settle
    stopping: threading.Event = app.state.stopping
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal once more when it has shut down; the worker still needs us then.
        signal.signal(number, lambda _number, _frame: stopping.set())
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        http=HTTPProtocol,
        ws="none",  # nobody asks for one, and its packages take as long to import as a few queries
        timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
    )
    listening = config.bind_socket()  # a port that is taken ends us before a job is begun
    app.state.warming.start()  # beside all that the server does before it begins
    with _embedded_worker(settings, stopping, handlers):
        _Server(config, stopping).run(sockets=[listening])


def settle() -> None:
    """What is loaded by now stays: nobody need look for garbage in it from now on."""
    gc.freeze()
    gc.enable()
    with suppress(AttributeError, OSError):  # another C library keeps what was freed
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _embedded_worker(
    settings: Settings, stopping: threading.Event, handlers: Mapping[str, str]
) -> Iterator[None]:
    if not settings.embedded_worker:
        yield
        return
    from app.worker.loop import run_worker  # takes a while

    thread = threading.Thread(
        target=run_worker, args=(settings, stopping), kwargs={"handlers": handlers}, name="worker"
    )
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
