"""Which staged rows are new: not twice in the upload, not in the dataset already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

import model.lazy_pandas as pd
from app.ingest.parts import PartFile
from app.ingest.row_keys import NO_KEYS, Keys, text_keys

RANGE_ROWS = 2**20
"""So many keys are compared at once; they are spread evenly."""
_GROUPS = 64
_LAST_BITS = 16
_FEW = 1 << 12
"""So many keys are looked for without putting all others in order."""


def new_events(
    staged: Path, rows: int, parts: Sequence[PartFile], known: Keys = NO_KEYS
) -> NDArray[np.bool_]:
    """Which of the staged rows are the first of their key, and of one that no part has.

    The rows are looked at by ranges of keys, so that memory does not grow with their number. The
    `known` keys are those of events that are in no part yet.
    """
    keep = np.ones(rows, dtype=bool)
    ranges = -(-rows // RANGE_ROWS)
    for number in range(ranges):
        keyspace = _Range(2**64 * number // ranges, 2**64 * (number + 1) // ranges - 1)
        keys, positions = _staged_keys(staged, keyspace)
        stored = _is_repeated(keys) | _is_stored(keys, parts, keyspace) | np.isin(keys, known)
        keep[positions[stored]] = False
    return keep


def stored_events(keys: Keys, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which of a few keys a part has."""
    return _is_stored(keys, parts, _ALL)


def new_entities(staged: Path, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which rows are the last of their id, and differ from the newest row that a part has."""
    rows = pq.read_table(staged, columns=["id_key", "key"])
    id_keys, keys = rows.column("id_key").to_numpy(), rows.column("key").to_numpy()
    last: NDArray[np.bool_] = ~pd.Series(id_keys).duplicated(keep="last").to_numpy()
    newest: dict[str, Keys] = {"id_key": keys[:0], "key": keys[:0]}
    for part in parts:  # in the order of import
        rows = pq.read_table(part.path, columns=["id_key", "key"])
        newest = {
            name: np.concatenate([newest[name], rows.column(name).to_numpy()]) for name in newest
        }
    stored = pd.DataFrame(newest).drop_duplicates("id_key", keep="last")
    if stored.empty:
        return last
    position = pd.Index(stored["id_key"]).get_indexer(pd.Index(id_keys))
    same = (position >= 0) & (stored["key"].to_numpy()[position] == keys)
    changed: NDArray[np.bool_] = last & ~same
    return changed


def new_ids(id_keys: Keys, parts: Sequence[PartFile], entity: str) -> int:
    """How many distinct ones of these ids no part has; the newest parts are looked at first."""
    missing = distinct(id_keys)
    for part in reversed(parts):
        if entity not in pq.read_schema(part.path).names:
            continue
        file = pq.ParquetFile(part.path, read_dictionary=[entity])
        for group in range(file.num_row_groups):
            if len(missing) == 0:
                return 0
            missing = np.setdiff1d(missing, _group_ids(file, group, entity), assume_unique=True)
    return len(missing)


def distinct(keys: Keys) -> Keys:
    """Each key once."""
    # A hash table: many times faster than NumPy's sort.
    found: Keys = pd.unique(keys)
    return found


@dataclass(frozen=True)
class _Range:
    """The keys from the first to the last."""

    first: int
    last: int

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        # Below the first one the difference is huge.
        within: NDArray[np.bool_] = keys - np.uint64(self.first) <= np.uint64(
            self.last - self.first
        )
        return within


_ALL = _Range(0, 2**64 - 1)


def _staged_keys(staged: Path, keyspace: _Range) -> tuple[Keys, NDArray[np.int64]]:
    """The keys of this range, and their rows."""
    found: list[tuple[Keys, NDArray[np.int64]]] = []
    done = 0
    for keys in _key_batches(staged):
        positions = np.flatnonzero(keyspace.has(keys))
        found.append((keys[positions], positions + done))
        done += len(keys)
    keys, rows = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return keys, rows


def _is_repeated(keys: Keys) -> NDArray[np.bool_]:
    """Which of these keys came before among them."""
    # By groups whose hash tables fit into the processor's cache: several times faster.
    group = (keys & np.uint64(_GROUPS - 1)).astype(np.uint8)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=_GROUPS))
    repeated = np.empty(len(keys), dtype=bool)
    for rows in np.split(order, ends[:-1]):
        repeated[rows] = pd.Series(keys[rows]).duplicated(keep="first").to_numpy()
    return repeated


def _is_stored(keys: Keys, parts: Sequence[PartFile], keyspace: _Range) -> NDArray[np.bool_]:
    """Which of these keys, all of the range, a part has."""
    stored = np.zeros(len(keys), dtype=bool)
    for part in parts:
        stored |= stored_in(part.path, keys, keyspace)
    return stored


class _Alike:
    """Finds keys that may be some of a few: of most keys the last bits say that they are not."""

    def __init__(self, few: Keys) -> None:
        self._is_last = np.zeros(1 << _LAST_BITS, dtype=bool)
        self._is_last[self._last(few)] = True

    def among(self, keys: Keys) -> Keys:
        """Those of the keys, and some others."""
        return keys[self._is_last[self._last(keys)]]

    @staticmethod
    def _last(keys: Keys) -> NDArray[np.uint16]:
        return keys.astype(np.uint16)  # the bits that it has room for


def stored_in(path: Path, keys: Keys, keyspace: _Range = _ALL) -> NDArray[np.bool_]:
    """Which of these keys, all of the range, the part in this file has."""
    wanted = np.sort(keys)
    stored = np.zeros(len(wanted), dtype=bool)
    if len(wanted) == 0:
        return stored
    alike = _Alike(wanted) if len(wanted) <= _FEW else None
    for batch in _key_batches(path):
        near = batch[keyspace.has(batch)] if alike is None else alike.among(batch)
        theirs = np.sort(near)  # in order the search is much faster
        position = np.minimum(np.searchsorted(wanted, theirs), len(wanted) - 1)
        stored[position[wanted[position] == theirs]] = True
    found: NDArray[np.bool_] = stored[np.searchsorted(wanted, keys)]
    return found


def _key_batches(path: Path) -> Iterator[Keys]:
    file = pq.ParquetFile(path)  # by groups: its own batches would read far ahead
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns=["key"], use_threads=False).column(0).to_numpy()


def _group_ids(file: pq.ParquetFile, group: int, entity: str) -> Keys:
    column = file.read_row_group(group, columns=[entity]).column(0)
    dictionaries = [chunk.dictionary.drop_null() for chunk in column.chunks]
    return distinct(np.concatenate([text_keys(values) for values in dictionaries]))
