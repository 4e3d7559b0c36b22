"""What a piece of work costs in a process of its own: wall time, CPU time, peak memory."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """What one run took, and what it answered.

    Attributes:
        wall_s: of the work alone, without starting Python and importing.
        cpu_s: of all threads, user and system.
        peak_bytes: the most that was resident in the whole process, mapped files included.
        answer: whatever the work returned.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    answer: Any


def measured(work: Callable[[], Any]) -> Cost:
    """Do the work in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall_s, cpu_s, peak_bytes(), answer)


def peak_bytes() -> int:
    """The most memory that was resident in this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def write_cost(cost: Cost, path: Path) -> None:
    """For `in_fresh_process`, which reads it."""
    path.write_text(json.dumps(asdict(cost)))


def in_fresh_process(module: str, *arguments: str | Path, threads: int = 2) -> Cost:
    """Run `python -m module ... --cost FILE`; it writes its cost there.

    Raises:
        subprocess.CalledProcessError: it failed; what it said stands above.
    """
    names = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cost.json"
        command = [sys.executable, "-m", module, *map(str, arguments), "--cost", str(path)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
        return Cost(**json.loads(path.read_text()))


def machine(*packages: str) -> dict[str, str]:
    """What the figures were measured on and with."""
    told = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    for package in packages:
        try:
            told[package] = version(package)
        except PackageNotFoundError:
            told[package] = "not installed"
    return told


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
