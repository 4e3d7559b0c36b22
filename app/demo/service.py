"""The service in a process of its own, on SQLite and local files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_START_S = 120.0
_POLL_S = 0.2
_STOP_S = 30.0


class ServiceFailed(Exception):
    """The service ended before it was ready; the message holds the end of its log."""


@contextmanager
def running_service(data_dir: Path) -> Iterator[str]:
    """Start `ssmtl serve`; gives its address and ends it afterwards.

    Raises:
        ServiceFailed: it did not become ready.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "serve.log"
    port = _free_port()
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "app", "serve", "--port", str(port)],
            env={**os.environ, "SSMTL_DATA_DIR": str(data_dir)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, address, log_path)
        yield address
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log_path: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(_POLL_S)  # a poll with a deadline: there is nothing to wait on
    raise ServiceFailed(
        f"the service did not become ready; its log ends with\n{log_path.read_text()[-2000:]}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
