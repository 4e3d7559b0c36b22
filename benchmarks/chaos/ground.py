"""The processes of a scenario: each is started here, and only these are ever signalled."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
from sqlalchemy import Engine

from app.db.engine import make_engine
from benchmarks.chaos.databases import Database

ROOT = Path(__file__).parents[2]
LEASE_S = 5.0
CHECKPOINT_S = 1.0
CANCEL_GRACE_S = 1.0
DEADLINE_S = 900.0
Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found | None],
    what: str,
    seconds: float = DEADLINE_S,
    pause_s: float = 0.02,
) -> Found:
    """What `look` finds, as soon as it finds something; it looks again after each pause.

    Raises:
        TimeoutError: it never did.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause_s)
    raise TimeoutError(f"after {seconds:.0f} s still not: {what}")


class Ground:
    """A data directory, a database, and processes that share them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.data_dir = folder / "data"
        self.engine: Engine = make_engine(database.url)
        self._log = (folder / "processes.log").open("ab")
        self._processes: list[subprocess.Popen[bytes]] = []
        self.data_dir.mkdir()

    def start_worker(
        self,
        handler: str | None = None,
        *,
        small_disk: tuple[Path, int] | None = None,
        **settings: object,
    ) -> subprocess.Popen[bytes]:
        """`ssmtl worker`; with a handler one that does trainings in this way instead.

        For it alone a small disk of so many MB lies over a folder.
        """
        command = ["app", "worker"] if handler is None else ["benchmarks.chaos.worker", handler]
        before = [] if small_disk is None else _on_small_disk(*small_disk)
        return self._start(command, settings, before)

    def start_api(self, **settings: object) -> tuple[subprocess.Popen[bytes], httpx.Client]:
        """`ssmtl serve`, ready, and a client of it."""
        port = _free_port()
        process = self._start(["app", "serve", "--port", str(port)], settings)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)

        def is_ready() -> bool:
            with suppress(httpx.TransportError):
                return client.get("/readyz").status_code == 200
            return False

        eventually(is_ready, "the service is ready", 180)
        return process, client

    def _start(
        self, command: list[str], settings: dict[str, object], before: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        given = {
            "data_dir": self.data_dir,
            "database_url": self.database.url,
            "lease_s": LEASE_S,
            "checkpoint_s": CHECKPOINT_S,
            "cancel_grace_s": CANCEL_GRACE_S,
            "embedded_worker": False,
            "job_threads": 1,
            **settings,
        }
        environment = {f"SSMTL_{name.upper()}": str(value) for name, value in given.items()}
        process = subprocess.Popen(
            [*before, sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=self._log,
            stderr=self._log,
        )
        self._processes.append(process)
        return process

    def stop(self, *pids: int) -> None:
        """SIGSTOP, but not while one of them holds SQLite's write lock: nobody could take it."""

        def stopped() -> bool:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if self.database.is_writable():
                return True
            self.wake(*pids)
            return False

        eventually(stopped, "the processes are stopped outside a transaction", 60)

    def wake(self, *pids: int) -> None:
        """SIGCONT."""
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Tell every process to end, and wait for it."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self._processes:
            process.wait(timeout=60)
        self._processes.clear()

    def close(self) -> None:
        """After the last scenario."""
        self.end()
        self.engine.dispose()
        self._log.close()

    def left_over(self) -> list[int]:
        """Processes that still run with this data directory, a moment after all have ended."""
        mark = f"SSMTL_DATA_DIR={self.data_dir}".encode()
        with suppress(TimeoutError):
            eventually(lambda: not _with_environment(mark), "nobody is left", 10)
        return _with_environment(mark)


@contextmanager
def ground(database: Database) -> Iterator[Ground]:
    """A folder for the scenarios; all that was started ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="ssmtl-chaos-data-"))
    made = Ground(database, folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def child_of(worker_pid: int) -> int | None:
    """The process in which a worker's job runs."""
    for pid in _pids():
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if int(fields[1]) == worker_pid and fields[0] != "Z" and b"spawn_main" in command:
                return pid
    return None


def is_gone(pid: int) -> bool:
    """Whether no such process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def _on_small_disk(folder: Path, size_mb: int) -> list[str]:
    """Begins a command that sees a file system of its own there, also without being root."""
    mount = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
    # Root of a user namespace may not use a database's socket that belongs to somebody else.
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *as_root, "--mount", "sh", "-c", mount, "sh", f"{size_mb}m", str(folder)]


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _with_environment(mark: bytes) -> list[int]:
    found = []
    for pid in _pids():
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return [pid for pid in found if not is_gone(pid)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
