"""Files mapped into memory, and how much of them the process holds.

The system maps sixteen pages around each one that is looked at, so that a process that answers for
a few entities at random soon holds all of an index. What it lets go of stays in the system's cache,
and comes back at the next look, for a microsecond or three. Of what lies there in large pages, two
mebibytes come at once, and go at once: so are files that were just written, and those that are read
for the first time through a map that asks for it. Only Linux says how much is held.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

_STATM = Path("/proc/self/statm")
_SHARED = 2
"""Which of its numbers says how many pages of files the process holds."""
_LARGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
HELD_BYTES = 16 << 20


class MappedFiles:
    """The files that a process has mapped.

    Args:
        held_bytes: how much of them it may hold.
    """

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._most = held_bytes // mmap.PAGESIZE
        self._maps: WeakSet[mmap.mmap] = WeakSet()
        self._statm = os.open(_STATM, os.O_RDONLY) if _STATM.exists() else None
        self._others: int | None = None  # pages of other files, as when nothing of ours was held

    def map(self, path: Path) -> mmap.mmap:
        """A file that is not empty, to be read."""
        with path.open("rb") as file:
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if _LARGE_PAGES is not None:
            with suppress(OSError):  # a system that was made without them
                pages.madvise(_LARGE_PAGES)
        self._maps.add(pages)
        return pages

    def keep_within(self) -> bool:
        """Let go of all files if more of them is held than may be; says whether."""
        if self._statm is None:
            return False
        if self._others is not None and self._pages() - self._others <= self._most:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        """Let go of all files: what is looked at next is mapped again."""
        for pages in list(self._maps):
            pages.madvise(mmap.MADV_DONTNEED)
        if self._statm is not None:
            self._others = self._pages()

    def _pages(self) -> int:
        assert self._statm is not None
        return int(os.pread(self._statm, 128, 0).split()[_SHARED])


MAPPED_FILES = MappedFiles()
"""Those of this process."""
