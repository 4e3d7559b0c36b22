"""From rows of an upload to users or items with attributes."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from app.ingest.blocks import Block, Upload
from app.ingest.cells import text_of
from app.ingest.checked import CheckedBlock, checked_numbers, checked_text, finished_block, mask
from app.ingest.columns import find_column, find_default, require_seen
from app.ingest.faults import BlockFaults, InvalidUpload
from app.ingest.mapping import DEFAULT_COLUMNS, EntityMapping
from app.ingest.row_keys import combined_keys, number_keys, text_keys

ATTRIBUTE = "attribute:"
"""What the names of attribute columns begin with in a part, so that none is taken for an id."""

MOST_ATTRIBUTES = 1000


class EntityChecks:
    """Checks the users or items of one upload.

    Raises:
        InvalidUpload: The upload lacks a column that is needed.
    """

    def __init__(
        self, entity: Literal["user", "item"], mapping: EntityMapping, upload: Upload
    ) -> None:
        self._entity = entity
        self.by_event_id = False
        self._id = _id_column(entity, mapping, upload)
        self._sources, self._numbers = _attributes(mapping, upload, self._id)
        self.wanted = frozenset([self._id, *self._sources.values()])
        self.schema = pa.schema(
            [
                (entity, pa.string()),
                *(
                    (ATTRIBUTE + name, pa.float64() if name in self._numbers else pa.string())
                    for name in self._sources
                ),
                ("id_key", pa.uint64()),
                ("key", pa.uint64()),
            ]
        )

    def check(self, block: Block) -> CheckedBlock:
        """The users or items of a block."""
        faults = BlockFaults(block.records)
        ids = checked_text(block, self._id, faults)
        faults.add(
            mask(pc.is_null(ids)), self._id, "missing_value", lambda _: f"no {self._entity} id"
        )
        id_key = text_keys(ids)
        columns: dict[str, object] = {self._entity: ids, "id_key": id_key}
        content = [id_key]
        for name, source in self._sources.items():
            content.append(text_keys(pa.array([name])).repeat(len(block)))
            if name in self._numbers:
                numbers = checked_numbers(block, source, faults)
                columns[ATTRIBUTE + name] = numbers
                content.append(number_keys(numbers))
            else:
                texts = text_of(block.column(source))
                columns[ATTRIBUTE + name] = texts
                content.append(text_keys(texts))
        columns["key"] = combined_keys(content)
        return finished_block(block, columns, faults, self.schema)


def _id_column(entity: str, mapping: EntityMapping, upload: Upload) -> str:
    defaults = DEFAULT_COLUMNS[entity]
    names = (mapping.id,) if mapping.id is not None else defaults
    require_seen(upload, names, f"{entity} id")
    found = find_default(upload, names)
    assert found is not None
    return found


def _attributes(
    mapping: EntityMapping, upload: Upload, id_column: str
) -> tuple[dict[str, str], frozenset[str]]:
    if mapping.attributes is None:
        names = [name for name in upload.all_columns() if name != id_column]
        if len(names) > MOST_ATTRIBUTES:
            raise InvalidUpload(
                f"{len(names):,} attribute columns are more than {MOST_ATTRIBUTES:,}: name those "
                "that matter in the mapping's `attributes`"
            )
        return {name: name for name in names}, frozenset()
    sources = {
        name: find_column(upload, attribute.column or name, f"attribute {name!r}")
        for name, attribute in mapping.attributes.items()
    }
    numbers = {name for name, attribute in mapping.attributes.items() if attribute.type == "number"}
    return sources, frozenset(numbers)
