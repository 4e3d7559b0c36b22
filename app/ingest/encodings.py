"""Text in other encodings than UTF-8, where the client says which."""

from __future__ import annotations

import codecs
from pathlib import Path

from app.ingest.faults import InvalidUpload
from app.ingest.formats import Encoding

_CHUNK_BYTES = 2**20


def as_utf8(path: Path, encoding: Encoding) -> Path:
    """The text in UTF-8: the same file, or one beside it.

    Raises:
        InvalidUpload: The file is not in that encoding.
    """
    if encoding == "utf-8":
        return path
    translated, done = path.with_name("utf-8"), 0
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as source, translated.open("wb") as sink:
            while chunk := source.read(_CHUNK_BYTES):
                sink.write(decoder.decode(chunk).encode())
                done += len(chunk)
            sink.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        raise InvalidUpload(
            f"the file is not {encoding} text: byte {done + getattr(error, 'start', 0):,} or one "
            "soon after it does not fit"
        ) from error
    return translated


def is_gb18030(start: bytes) -> bool:
    """Whether the beginning of a file, cut off anywhere, reads as Chinese in GB18030."""
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(start)
    except UnicodeDecodeError:
        return False
    foreign = [character for character in text if character > "\x7f"]
    chinese = sum("\u4e00" <= c <= "\u9fff" or "\u3000" <= c <= "\u303f" for c in foreign)
    return bool(foreign) and chinese / len(foreign) > 0.9
