"""How the service logs: events with fields, for people on a terminal, as JSON lines elsewhere."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import structlog
from structlog.types import Processor

_SHARED: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)

_SPOKEN = ("app", "model", "uvicorn")
"""Loggers that speak at the level that was asked for; others only warn."""


class JSONLines(logging.StreamHandler[TextIO]):
    """Writes lines that are JSON; also such as were rendered elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def write_soon(self, line: str) -> None:
        """Write a line with all those of this turn of the event loop, which runs in this thread."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # none awaits us, or one that may be over
            self._loop = loop
            loop.call_soon(self._write)
        self._lines.append(line)

    def close(self) -> None:
        """Write what waits for an event loop that is over, and end."""
        if self._lines:
            self._write()
        super().close()

    def _write(self) -> None:
        lines, self._lines, self._loop = self._lines, [], None
        self.acquire()
        try:
            self.stream.write("\n".join(lines) + self.terminator)
            self.flush()
        except (OSError, ValueError):  # nobody reads any more, and nobody can be told
            return
        finally:
            self.release()


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's events to stderr in one form."""
    renderers: Sequence[Processor]
    handler: logging.StreamHandler[TextIO]
    if sys.stderr.isatty():
        renderers = (structlog.dev.ConsoleRenderer(),)
        handler = logging.StreamHandler(sys.stderr)
    else:
        renderers = (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
        handler = JSONLines(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    route_logging([handler], level)


def route_logging(handlers: Sequence[logging.Handler], level: str) -> None:
    """Make these handlers the only ones, of structlog's events too."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=list(handlers), level=logging.WARNING, force=True)
    for name in _SPOKEN:
        logging.getLogger(name).setLevel(level.upper())
