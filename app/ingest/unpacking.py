"""Uploads may be compressed with gzip, whatever their format."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from app.errors import TooLarge
from app.ingest.faults import InvalidUpload

_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 2**20


def unpack(path: Path, max_bytes: int, *, claims_gzip: bool = False) -> Path:
    """The plain file: the same one, or one beside it if it is compressed.

    Args:
        path: The file as it was sent.
        max_bytes: How large the plain file may be.
        claims_gzip: Whether the client says that it is compressed.

    Raises:
        InvalidUpload: It is damaged or cut off, or not compressed although the client says so.
        TooLarge: The plain file would be larger than `max_bytes`.
    """
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    if not compressed:
        if claims_gzip:
            raise InvalidUpload("Content-Encoding says gzip, but the upload is not compressed")
        return path
    plain = path.with_name("plain")
    written = 0
    try:
        with gzip.open(path, "rb") as source, plain.open("wb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > max_bytes:
                    raise too_large(max_bytes)
                sink.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidUpload(f"the gzip file is damaged or was cut off: {error}") from error
    return plain


def too_large(max_bytes: int) -> TooLarge:
    """The error for an upload that is larger than the service takes."""
    return TooLarge(
        f"the upload is larger than {max_bytes:,} bytes (uncompressed): split it into several "
        "imports, or raise SSMTL_MAX_UPLOAD_BYTES"
    )
