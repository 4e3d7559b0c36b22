"""Cells of any source type, as text or as numbers; a whole column at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
from app.ingest.faults import InvalidUpload
from app.ingest.text_buffers import trimmed

LARGEST_NUMBER = 1e12
"""Beyond it money does not fit into cents and sums lose them."""

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NO_NUMBER = r"(?i)^(nan|na|n/a|null|none)$"
_EXACT_FLOAT = float(2**53)


@dataclass(frozen=True)
class Numbers:
    """Parsed numbers, NaN where missing or unreadable."""

    value: NDArray[np.float64]
    missing: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]


def text_of(column: pa.Array) -> pa.StringArray:
    """The cells as text without surrounding white space; null where there is none.

    Whole floats lose their `.0`, so that an id read as a number keeps its name.

    Raises:
        InvalidUpload: The column holds lists, structs or bytes that are no text.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        texts = _text_of_floats(column.cast(pa.float64()))
    else:
        try:
            texts = column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidUpload(f"cannot read values of type {column.type} as text") from error
    if pa.types.is_decimal(column.type):
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    return trimmed(texts)


def numbers_of(column: pa.Array) -> Numbers:
    """The cells as numbers; an empty cell, NaN, NA, null and none are missing ones."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_number(column.type):
        value = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return _numbers(value.astype(np.float64), np.isnan(value))
    texts = text_of(column)
    return _plain_numbers(texts) or _any_numbers(texts)


def _plain_numbers(texts: pa.StringArray) -> Numbers | None:
    """What Arrow reads at once; None if it does not, or reads a word as a number (`nan`, `inf`)."""
    try:
        read = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    value = read.to_numpy(zero_copy_only=False)
    missing = read.is_null().to_numpy(zero_copy_only=False)
    return Numbers(value, missing, np.zeros_like(missing)) if _all_finite(value, missing) else None


def _all_finite(value: NDArray[np.float64], missing: NDArray[np.bool_]) -> bool:
    return bool((np.isfinite(value) | missing).all())


def _any_numbers(texts: pa.StringArray) -> Numbers:
    missing = pc.fill_null(pc.match_substring_regex(texts, _NO_NUMBER), True)
    readable = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)
    plain = pc.if_else(readable, pc.utf8_ltrim(texts, "+"), None)
    value = plain.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return _numbers(value, missing.to_numpy(zero_copy_only=False))


def _numbers(value: NDArray[np.float64], missing: NDArray[np.bool_]) -> Numbers:
    return Numbers(value, missing, ~np.isfinite(value) & ~missing)


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _text_of_floats(column: pa.Array) -> pa.Array:
    column = pc.if_else(pc.is_nan(column), None, column)
    whole = pc.and_(
        pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), pa.scalar(_EXACT_FLOAT))
    )
    as_integer = pc.if_else(whole, column, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(as_integer, column.cast(pa.string()))
