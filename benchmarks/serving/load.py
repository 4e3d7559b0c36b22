"""Load over loopback: wrk where it is installed, else a client of our own; on a core of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import ROOT

GENERATOR = "wrk" if shutil.which("wrk") else "benchmarks.serving.load_client"
_GRACE_S = 30.0
_LONGEST = "20s"  # an answer that takes so long counts as lost


class Request(NamedTuple):
    """What is sent; a body is JSON."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True)
class Load:
    """What came back.

    Attributes:
        per_s: answers a second.
        p50_ms: of the time from a request to its whole answer.
        p99_ms: alike.
        answers: how many.
        lost: how many were no 2xx, or no answer at all.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    answers: int
    lost: int


def put_load(
    port: int, requests: Sequence[Request], connections: int, seconds: float, generator: str = ""
) -> Load:
    """Send the requests in turn, each connection its next one as soon as it has an answer.

    Args:
        port: of 127.0.0.1.
        requests: sent over and over.
        connections: how many are kept open.
        seconds: how long.
        generator: which; `GENERATOR` by default.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.tsv"
        path.write_text("".join("\t".join(request) + "\n" for request in requests))
        command = (_wrk if (generator or GENERATOR) == "wrk" else _own)(
            port, path, connections, seconds
        )
        done = subprocess.run(
            command,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=seconds + _GRACE_S,
            preexec_fn=_on_last_core,
        )
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def _wrk(port: int, requests: Path, connections: int, seconds: float) -> list[str]:
    script = Path(__file__).with_name("load.lua")
    address = f"http://127.0.0.1:{port}"
    duration = f"{max(1, round(seconds))}s"
    return [
        *("wrk", "--threads", "1", "--connections", str(connections), "--duration", duration),
        *("--timeout", _LONGEST, "--script", str(script), address, "--", str(requests)),
    ]


def _own(port: int, requests: Path, connections: int, seconds: float) -> list[str]:
    module = "benchmarks.serving.load_client"
    return [sys.executable, "-m", module, *map(str, (port, requests, connections, seconds))]


def _on_last_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
