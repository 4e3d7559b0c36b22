"""How often something is done in a loop that turns faster."""

from __future__ import annotations

import time


class Every:
    """Due once per interval, the first time after one interval."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = time.monotonic() + interval_s

    def is_due(self) -> bool:
        """Whether it is time; asking when it is starts the next interval."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._interval_s
        return True
