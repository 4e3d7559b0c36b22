"""The container files, read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def compose() -> dict[str, Any]:
    """The Compose file with its anchors merged and its variables as they are written."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, its text on one line) of the Dockerfile, in order."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    instructions = [line.partition(" ") for line in lines if line.strip()]
    return [(name, rest.strip()) for name, _, rest in instructions]


def final_stage() -> list[tuple[str, str]]:
    """The instructions of what is shipped."""
    read = dockerfile()
    last = max(place for place, (name, _) in enumerate(read) if name == "FROM")
    return read[last:]
