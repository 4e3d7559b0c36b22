"""Which format an upload is in, from what the client says about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, get_args

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
Encoding = Literal["utf-8", "gb18030", "utf-16", "windows-1252"]
Delimiter = Literal["comma", "semicolon", "tab", "pipe"]
DELIMITERS: dict[Delimiter, str] = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

_OF_MEDIA_TYPE: dict[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.ms-excel": "csv",  # what browsers on Windows call a CSV file
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/jsonlines": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/parquet": "parquet",
}
_OF_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}

MEDIA_TYPES: tuple[str, ...] = tuple(_OF_MEDIA_TYPE)


@dataclass(frozen=True)
class Reading:
    """How to read an upload; without a `delimiter` the header of a CSV file decides."""

    format: Format
    encoding: Encoding = "utf-8"
    delimiter: Delimiter | None = None


def format_of(given: str | None, media_type: str | None, file_name: str | None) -> Format | None:
    """The format by `?format=`, else by the Content-Type, else by the file's name."""
    if given in FORMATS:
        return given
    plain = (media_type or "").partition(";")[0].strip().lower()
    if plain in _OF_MEDIA_TYPE:
        return _OF_MEDIA_TYPE[plain]
    suffixes = [suffix.lower() for suffix in PurePath(file_name or "").suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return _OF_SUFFIX.get(suffixes[-1]) if suffixes else None
