"""64-bit keys of rows and ids, by which duplicates are found.

Two different rows have the same key with a probability of 2^-64: among 10 million events a pair of
that kind exists with a probability below 3 in a million, among 100 million below 3 in 10,000. The
keys are stored with the events, so what they are computed from must not change within a
`SCHEMA_VERSION` of `app.ingest.parts`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_pandas as pd
from app.ingest.compiled_keys import MISSING, SIP_KEY, hash_texts, mix_into
from app.ingest.text_buffers import TextBuffer
from model.compiled import COMPILED

Keys = NDArray[np.uint64]

NO_KEYS: Keys = np.empty(0, dtype=np.uint64)

_MISSING = np.uint64(MISSING)


def text_keys(texts: pa.Array) -> Keys:
    """The keys of texts (SipHash); a missing text has a key of its own."""
    if COMPILED and pa.types.is_string(texts.type):
        buffer = TextBuffer.of(texts)
        keys: Keys = np.empty(len(texts), dtype=np.uint64)
        hash_texts(buffer.offsets, buffer.data, keys)
        if texts.null_count:
            keys[texts.is_null().to_numpy(zero_copy_only=False)] = _MISSING
        return keys
    return _text_keys_of_distinct(texts)


def _text_keys_of_distinct(texts: pa.Array) -> Keys:
    """The same without a compiler: each distinct text once."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    distinct = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    hashed = pd.util.hash_array(distinct, hash_key=SIP_KEY, categorize=False)
    hashed = np.append(hashed, _MISSING)
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    keys: Keys = hashed[codes.astype(np.int64)]
    return keys


def number_keys(numbers: NDArray[np.float64]) -> Keys:
    """The keys of numbers; NaN means missing, and -0 is 0."""
    bits = (numbers + 0.0).view(np.uint64)
    return np.where(np.isnan(numbers), _MISSING, bits)


def cell_keys(name: str, values: Keys, missing: NDArray[np.bool_]) -> Keys:
    """What the cells of a further column add to the keys of their rows; a missing one nothing.

    The sum over columns is the same in any order of them.
    """
    column = text_keys(pa.array([name]))[0]
    return np.where(missing, np.uint64(0), _mix(_mix(values + _MISSING) ^ column))


def combined_keys(columns: Iterable[Keys]) -> Keys:
    """One key per row from the keys of its cells; their order counts."""
    parts = list(columns)
    combined = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        if COMPILED:
            mix_into(combined, np.ascontiguousarray(part))
        else:
            combined = _mix(combined * np.uint64(31) ^ _mix(part + _MISSING))
    return combined


def _mix(value: Keys) -> Keys:
    # The finaliser of splitmix64.
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
