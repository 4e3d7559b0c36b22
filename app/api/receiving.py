"""An upload's body, from the network to a file, in bounded memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from fastapi import Request

from app.api.multipart import FilePart
from app.errors import UnsupportedFormat
from app.ingest.unpacking import too_large

_PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Received:
    """An upload that has arrived whole."""

    path: Path
    sha256: str
    media_type: str | None
    file_name: str | None
    claims_gzip: bool


async def receive(request: Request, folder: Path, max_bytes: int) -> Received:
    """Write the body, or the file in a multipart form, to `folder`.

    Raises:
        ClientDisconnect: The client went away before the end.
        InvalidUpload: The multipart form is broken.
        TooLarge: The body is larger than `max_bytes`.
        UnsupportedFormat: The Content-Encoding is neither gzip nor none.
    """
    claims_gzip = _is_gzip(request)
    content_type = request.headers.get("content-type", "")
    part = FilePart(content_type) if content_type.startswith("multipart/form-data") else None
    if part is None and int(request.headers.get("content-length", 0)) > max_bytes:
        raise too_large(max_bytes)
    path = folder / "upload"
    with path.open("wb") as file:
        sink = _Sink(file, max_bytes)
        async for chunk in request.stream():
            await sink.add(part.feed(chunk) if part is not None else chunk)
        await sink.flush()
    if part is not None:
        part.close()
    return Received(
        path=path,
        sha256=sink.digest.hexdigest(),
        media_type=part.media_type if part is not None else content_type,
        file_name=part.file_name if part is not None else None,
        claims_gzip=claims_gzip,
    )


class _Sink:
    """Gathers small pieces, and leaves the event loop free while it writes large ones."""

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self.digest = hashlib.sha256()
        self._file = file
        self._max_bytes = max_bytes
        self._taken = 0
        self._waiting = bytearray()

    async def add(self, chunk: bytes) -> None:
        self._taken += len(chunk)
        if self._taken > self._max_bytes:
            raise too_large(self._max_bytes)
        self._waiting += chunk
        if len(self._waiting) >= _PIECE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        piece, self._waiting = bytes(self._waiting), bytearray()
        await to_thread.run_sync(self._write, piece)

    def _write(self, piece: bytes) -> None:
        self.digest.update(piece)
        self._file.write(piece)


def _is_gzip(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip"}:
        raise UnsupportedFormat(
            f"Content-Encoding {encoding!r} is not known: send the upload plain or with gzip",
            code="unsupported_encoding",
        )
    return encoding != "identity"
