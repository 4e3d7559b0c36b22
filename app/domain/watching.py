"""Looks for changes every few hundredths of a second, as long as somebody asks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

LOOK_S = 0.04
_IDLE_S = 2.0

logger = logging.getLogger(__name__)


class Watcher:
    """A thread that looks while it is used, and rests while it is not.

    Args:
        look: is called by the thread, and by who wakes it.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._used_s = float("-inf")
        self._awake, self._closed = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_closed(self) -> bool:
        """Whether there is no more to look for."""
        return self._closed.is_set()

    def use(self) -> bool:
        """Whether what is known was looked at lately; if not, `wake` first."""
        now_s = time.monotonic()
        is_watched = now_s - self._used_s < _IDLE_S
        self._used_s = now_s
        return is_watched and self._awake.is_set()

    def wake(self) -> None:
        """Have the thread look from now on, and look once if it did not."""
        with self._starting:
            self._used_s = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
                self._thread.start()
        if not self._awake.is_set():
            self._look()
            self._awake.set()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_S):
            if time.monotonic() - self._used_s > _IDLE_S:
                self._awake.clear()
                self._awake.wait()
            else:
                try:
                    self._look()
                except Exception:
                    logger.exception("the look for changes failed")
