"""The users and items of parts as frames."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

import model.lazy_pandas as pd
from app.ingest.attributes import UNDECLARED, split_name
from app.ingest.cells import numbers_of
from app.ingest.parts import PartFile


def entity_frame(parts: Sequence[PartFile], entity: str) -> pd.DataFrame | None:
    """The users or items, the newest row of each; None if there is no such table.

    Attributes that the mapping declares are floats or texts. Others are numbers if every value
    that is there reads as one, else texts.
    """
    own = [part for part in parts if part.table == f"{entity}s"]
    if not own:
        return None
    tables = [pq.read_table(part.path) for part in own]
    table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    ids = table.column(entity).to_pandas()
    newest = pa.array(~ids.duplicated(keep="last").to_numpy())
    table = table.filter(newest)
    columns = {entity: table.column(entity).to_pandas()}
    for name in table.column_names:
        prefix, plain = split_name(name)
        if prefix:
            values = _attribute(table.column(name), as_number=prefix == UNDECLARED)
            columns[plain if plain != entity else f"{plain}_"] = values
    return pd.DataFrame(columns)


def _attribute(column: pa.ChunkedArray, *, as_number: bool) -> pd.Series:
    if as_number:
        numbers = numbers_of(column.combine_chunks())
        if not numbers.unreadable.any() and not numbers.missing.all():
            return pd.Series(numbers.value)
    values: pd.Series = column.to_pandas()
    return values
