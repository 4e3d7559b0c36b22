"""In which units a task's labels are learned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Location and scale of a `sum` task's log amounts, or of a column of numbers; else 0 and 1."""

    location: float = 0.0
    scale: float = 1.0
