"""Whether a child process was stopped (SIGSTOP) and is not woken."""

from __future__ import annotations

import os
import time


class Stillness:
    """Looks at a child of this process.

    Args:
        pid: of a child that nobody has waited for yet.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen_at: float | None = None

    def lasts(self, seconds: float) -> bool:
        """Whether at all looks of the last so many seconds it was stopped."""
        if not _is_stopped(self._pid):
            self._seen_at = None
            return False
        now = time.monotonic()
        self._seen_at = self._seen_at or now
        return now - self._seen_at >= seconds


def _is_stopped(pid: int) -> bool:
    try:
        # Looked at only: whoever waits for the child's end still finds it.
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return found is not None
