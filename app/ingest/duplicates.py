"""Which staged rows are new: not twice in the upload, not in the dataset already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.ingest.parts import PartFile
from app.ingest.row_keys import Keys, text_keys


def new_events(keys: Keys, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which rows are the first of their key, and of a key that no part has."""
    fresh: NDArray[np.bool_] = ~pd.Series(keys).duplicated(keep="first").to_numpy()
    return fresh & ~_is_stored(keys, parts) if len(keys) else fresh


def new_entities(keys: Keys, id_keys: Keys, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which rows are the last of their id, and differ from the newest row that a part has."""
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
    missing = _distinct(id_keys)
    for part in reversed(parts):
        if entity not in pq.read_schema(part.path).names:
            continue
        file = pq.ParquetFile(part.path, read_dictionary=[entity])
        for group in range(file.num_row_groups):
            if len(missing) == 0:
                return 0
            missing = np.setdiff1d(missing, _group_ids(file, group, entity), assume_unique=True)
    return len(missing)


def distinct_ids(column: pa.ChunkedArray) -> Keys:
    """The keys of the distinct ids in a column; missing ones do not count."""
    return text_keys(column.unique().drop_null())


def _is_stored(keys: Keys, parts: Sequence[PartFile]) -> NDArray[np.bool_]:
    """Which keys a part has; besides the keys only a sorted copy of them is in memory."""
    wanted = np.sort(keys)
    stored = np.zeros(len(wanted), dtype=bool)
    for part in parts:
        for batch in pq.ParquetFile(part.path).iter_batches(columns=["key"]):
            theirs = np.sort(batch.column(0).to_numpy())  # in order the search is much faster
            position = np.minimum(np.searchsorted(wanted, theirs), len(wanted) - 1)
            stored[position[wanted[position] == theirs]] = True
    found: NDArray[np.bool_] = stored[np.searchsorted(wanted, keys)] if parts else stored
    return found


def _group_ids(file: pq.ParquetFile, group: int, entity: str) -> Keys:
    column = file.read_row_group(group, columns=[entity]).column(0)
    dictionaries = [chunk.dictionary.drop_null() for chunk in column.chunks]
    return _distinct(np.concatenate([text_keys(values) for values in dictionaries]))


def _distinct(keys: Keys) -> Keys:
    # A hash table: several times faster than NumPy's.
    distinct: Keys = pd.Series(keys).drop_duplicates().to_numpy()
    return distinct
