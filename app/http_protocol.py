"""uvicorn's protocol, with less work per answer where an answer takes less than what is around it.

An answer is sent in one piece, head and body, instead of by two calls of the system. The access log
has the same lines, without a record of `logging` that passes through a dozen functions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.logs import JSONLines

_MOST_HELD_BYTES = 1 << 16
_ACCESS = "uvicorn.access"


class HTTPProtocol(HttpToolsProtocol):
    """One connection; see the module."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_logger = access_logger()

    def connection_made(  # type: ignore[override]  # as in uvicorn
        self, transport: asyncio.Transport
    ) -> None:
        """What is written goes out in larger pieces."""
        self._pieces = TransportOfPieces(transport, self.loop)
        super().connection_made(self._pieces)

    def on_response_complete(self) -> None:
        """Nothing is to be waited for."""
        self._pieces.send()
        super().on_response_complete()


class TransportOfPieces(asyncio.Transport):
    """Sends what is written in one turn of the event loop together, or as soon as it is told to.

    Args:
        transport: sends.
        loop: the transport's.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._is_awaited = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it soon, after what came before."""
        self._pieces.append(bytes(data))
        self._bytes += len(data)
        if self._bytes >= _MOST_HELD_BYTES:
            self.send()
        elif not self._is_awaited:
            self._is_awaited = True
            self._loop.call_soon(self._turn_ended)

    def send(self) -> None:
        """Send all that was written."""
        pieces = self._pieces
        if not pieces:
            return
        is_large = self._bytes >= _MOST_HELD_BYTES
        self._pieces, self._bytes = [], 0
        for data in pieces if is_large else (b"".join(pieces),):  # what is large is not copied
            if not self._transport.is_closing():
                self._transport.write(data)

    def close(self) -> None:
        """Send what was written, then close."""
        self.send()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it was told to."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let nothing more come."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told of what comes."""
        self._transport.set_protocol(protocol)

    def _turn_ended(self) -> None:
        self._is_awaited = False
        self.send()


class AccessLogger(logging.Logger):
    """Says what the logger of the same name would say, in lines that are rendered at once.

    Args:
        lines: where they go.
    """

    def __init__(self, lines: JSONLines) -> None:
        super().__init__(_ACCESS, logging.INFO)
        self._lines = lines

    def info(  # type: ignore[override]  # nobody calls it with more
        self, message: object, *arguments: object, **_options: Mapping[str, object]
    ) -> None:
        """Log it."""
        event = encode_basestring_ascii(str(message) % arguments)
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self._lines.write_soon(
            f'{{"event": {event}, "level": "info", "logger": "{_ACCESS}", "timestamp": "{moment}"}}'
        )


def access_logger() -> logging.Logger:
    """The quickest that says the same."""
    logger = logging.getLogger(_ACCESS)
    handlers = logging.getLogger().handlers
    is_plain = logger.propagate and not logger.handlers and logger.isEnabledFor(logging.INFO)
    if is_plain and len(handlers) == 1 and isinstance(handlers[0], JSONLines):
        return AccessLogger(handlers[0])
    return logger
