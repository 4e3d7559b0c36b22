"""Is a file really UTF-8 text? Told before it is parsed, in words that help."""

from __future__ import annotations

import codecs
from pathlib import Path

from app.ingest.encodings import is_gb18030
from app.ingest.faults import InvalidUpload

_CHUNK_BYTES = 4 * 2**20
_GUESSED_BYTES = 2**16
_KNOWN_STARTS = {
    b"PAR1": "a Parquet file: send it with ?format=parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook: save it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV",
    b"\x1f\x8b": "compressed twice: send it compressed once",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: send it plain or as gzip",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8, or add ?encoding=utf-16",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8, or add ?encoding=utf-16",
}


def check_text(path: Path, name: str) -> None:
    """Let only UTF-8 text pass; what is in another known encoding has been translated.

    Args:
        path: The file.
        name: What it should be, for the message, e.g. `CSV`.

    Raises:
        InvalidUpload: The file is empty, binary or in another encoding.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            if done == 0:
                _check_start(chunk, name)
            _check_chunk(decoder, chunk, done, name)
            done += len(chunk)
    if done == 0:
        raise InvalidUpload("the upload is empty")
    if decoder.getstate()[0]:
        raise InvalidUpload("the file ends in the middle of a character: was it cut off?")


def _check_start(chunk: bytes, name: str) -> None:
    for start, what in _KNOWN_STARTS.items():
        if chunk.startswith(start):
            raise InvalidUpload(f"this is no {name} file but {what}")


def _check_chunk(decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, name: str) -> None:
    zero = chunk.find(0)
    if zero >= 0:
        raise InvalidUpload(
            f"this is no {name} file: it has a zero byte at offset {offset + zero:,}, so it is "
            "binary, or text in UTF-16"
        )
    kept = len(decoder.getstate()[0])
    if kept == 0 and chunk.isascii():
        return
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError as error:
        at = offset - kept + error.start
        guess = "binary, or another encoding: save it as UTF-8, or name it with ?encoding="
        if is_gb18030(error.object[:_GUESSED_BYTES]):
            guess = (
                "it reads as Chinese in GB18030 (GBK): add ?encoding=gb18030, or save it as UTF-8"
            )
        raise InvalidUpload(
            f"the file is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset {at:,} "
            f"({guess})"
        ) from error
