"""What other outcomes leave of an outcome: bounds by logic, in the target's own unit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """Between what an outcome must lie.

    Attributes:
        happens: whether there is anything at all within the horizon; None leaves it open.
        least: a count or sum is not less; a time is later than these days.
        most: a count or sum is not more; a time is not later than these days.
    """

    happens: bool | None = None
    least: float = 0.0
    most: float = math.inf

    @property
    def is_open(self) -> bool:
        """Whether nothing is known."""
        return self == Bounds()
