"""Virtual environments of the peers, made once and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import ROOT

PINNED = ("numba", "numpy", "onnxruntime")
"""What computes the features and the forward: at our versions."""
FREE = ("pandas>=3", "pyarrow", "pydantic", "safetensors", "scipy", "tzdata")
"""What else the prediction path of `model` imports: a peer may need older ones than we have."""


def environment(folder: Path, package: str) -> Path:
    """The folder of commands of an environment that has a peer; made if it is not there."""
    needed = [*_pinned(), *FREE]
    word = hashlib.sha256(repr(needed).encode()).hexdigest()[:12]
    path = folder / f"venv-{package}-{word}"
    commands = path / "bin"
    is_whole = path / "installed"
    if not is_whole.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(path)], check=True)
        install = [str(commands / "python"), "-m", "pip", "install", "--quiet"]
        install += ["--disable-pip-version-check", "--no-compile", package, *needed]
        subprocess.run(install, check=True)
        is_whole.touch()
    return commands


def _pinned() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.partition("==")[0] in PINNED]
