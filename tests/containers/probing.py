"""Health checks, run as the container would run them, against a service that we choose."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a service whose `/readyz` has this status and whose other pages are missing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_healthy(command: Sequence[str], environment: dict[str, str] | None = None) -> bool:
    """Whether the check `python3 ...` is content, run with this Python."""
    assert command[0] == "python3"
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env=environment or {},
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.returncode == 0
