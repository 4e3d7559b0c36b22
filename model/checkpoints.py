"""Checkpoints: what a fit has got so far, in files that survive whoever writes them.

    <folder>/<number>.checkpoint    line 1: the format, line 2: SHA-256 of the rest, the rest: bytes

A file is written aside, synced and renamed, then the folder is synced: under its final name it is
whole, or the disk has damaged it since, which the checksum tells. The newest two are kept, so that
there is one before a damaged one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_FORMAT = b"SSMTL checkpoint 1\n"
_KEPT = 2
_MARGIN = 2.0
"""How many times as long as the last one the next step and the next write may take."""
_SUFFIX = ".checkpoint"
_UNFINISHED = ".unfinished"

log = logging.getLogger(__name__)


class Checkpoints(Protocol):
    """Where a fit leaves what it would need to go on."""

    def is_due(self) -> bool:
        """Whether to save another one now, in the middle of an epoch; asked after each step."""

    def save(self, content: bytes) -> None:
        """Keep this beside the one before it.

        Raises:
            OSError: it could not be kept; the earlier ones are as they were.
        """

    def newest_first(self) -> Iterator[bytes]:
        """What was kept and is undamaged."""


class NoCheckpoints:
    """For a fit that nobody interrupts."""

    def is_due(self) -> bool:
        """Never."""
        return False

    def save(self, content: bytes) -> None:
        """Forget it."""

    def newest_first(self) -> Iterator[bytes]:
        """Nothing."""
        return iter(())


class CheckpointFolder:
    """Checkpoints in a folder that belongs to one fit alone.

    The folder is not made here: whoever takes it away from a fit, by renaming or removing it, makes
    every later `save` of that fit fail.

    Args:
        folder: exists.
        interval_s: within an epoch the next one is written at most so long after the last one, if
            neither steps nor writing take more than twice as long as they did before.
    """

    def __init__(self, folder: Path, interval_s: float) -> None:
        self._folder = folder
        self._interval_s = interval_s
        self._asked_at = time.monotonic()
        self._due_at = self._asked_at + interval_s
        self._save_s = 0.0
        for unfinished in folder.glob(f"*{_UNFINISHED}"):
            unfinished.unlink(missing_ok=True)

    def is_due(self) -> bool:
        """Whether one that is saved after the next question would come later than the interval."""
        now = time.monotonic()
        since_last_question_s, self._asked_at = now - self._asked_at, now
        return now + _MARGIN * (since_last_question_s + self._save_s) >= self._due_at

    def save(self, content: bytes) -> None:
        """Write the next file and remove the third newest.

        Raises:
            OSError: the disk is full or the folder is gone; the earlier files are as they were.
        """
        begun = time.monotonic()
        self._due_at = begun + self._interval_s
        before = self._files()
        number = int(before[-1].stem) + 1 if before else 1
        unfinished = self._folder / f"{number:06d}{_UNFINISHED}"
        try:
            write_durably(unfinished, _FORMAT, _checksum(content), content)
            unfinished.replace(self._folder / f"{number:06d}{_SUFFIX}")
            _sync_folder(self._folder)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        for old in before[: 1 - _KEPT]:
            old.unlink(missing_ok=True)
        self._save_s = time.monotonic() - begun

    def newest_first(self) -> Iterator[bytes]:
        """The contents of the files; those that are damaged are removed."""
        for path in reversed(self._files()):
            content = _undamaged(path)
            if content is None:
                log.warning("the checkpoint %s is damaged: taking the one before it", path.name)
                path.unlink(missing_ok=True)
            else:
                yield content

    def _files(self) -> list[Path]:
        """The oldest first."""
        return sorted(
            (path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal()),
            key=lambda path: int(path.stem),
        )


def write_durably(path: Path, *content: bytes) -> None:
    """Write a file; when this returns it is on the disk, its name may not be."""
    with path.open("wb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _undamaged(path: Path) -> bytes | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    start = len(_FORMAT) + len(_checksum(b""))
    content = raw[start:]
    return content if raw[:start] == _FORMAT + _checksum(content) else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n"
