"""Servers as processes of their own, each with all that it started: until ready, and to the end."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.measuring import ROOT

_READY_S = 120.0
_POLL_S = 0.005
_STOP_S = 20.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Server:
    """A server that is ready.

    Attributes:
        port: of 127.0.0.1.
        pid: of its first process.
        ready_s: how long it took from its start until it said so.
    """

    port: int
    pid: int
    ready_s: float

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Stopped with all that it started: others have the machine to themselves."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def pss_mib(self) -> float:
        """What its first process holds: memory shared with others counts in part."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    ready_path: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server, wait until it says 200, and end it and its children afterwards.

    Raises:
        RuntimeError: it ended or said nothing in time; the message holds the end of its log.
    """
    started = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (no thread runs yet)
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}{ready_path}", log)
        yield Server(port, process.pid, time.perf_counter() - started)
    finally:
        _end(process)


def _die_with_parent() -> None:
    """So that nobody is left behind when the benchmark is killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    with httpx.Client(timeout=_READY_S) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(url).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(_POLL_S)  # a poll with a deadline: there is nothing to wait on
    raise RuntimeError(f"{process.args} is not ready; its log ends with\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group, since some servers leave children behind."""
    with suppress(subprocess.TimeoutExpired, ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
