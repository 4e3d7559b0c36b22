"""From rows of an upload to users or items with attributes."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

import model.lazy_compute as pc
from app.ingest.attributes import NUMBER, kind_of, sources_of
from app.ingest.blocks import Block, Upload
from app.ingest.cells import text_of
from app.ingest.checked import CheckedBlock, checked_numbers, checked_text, finished_block, mask
from app.ingest.columns import find_default, require_seen
from app.ingest.faults import BlockFaults
from app.ingest.mapping import DEFAULT_COLUMNS, EntityMapping
from app.ingest.row_keys import combined_keys, number_keys, text_keys

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
        self.has_time = False
        self.dropped: frozenset[str] = frozenset()
        self.notes: tuple[str, ...] = ()
        self._id = _id_column(entity, mapping, upload)
        self._sources = sources_of(mapping.attributes, upload, {self._id}, MOST_ATTRIBUTES)
        self._kinds = {name: kind_of(mapping.attributes, name) for name in self._sources}
        self.wanted = frozenset([self._id, *self._sources.values()])
        self.schema = pa.schema(
            [
                (entity, pa.string()),
                *(
                    (kind + name, pa.float64() if kind == NUMBER else pa.string())
                    for name, kind in self._kinds.items()
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
            kind = self._kinds[name]
            content.append(text_keys(pa.array([kind + name])).repeat(len(block)))
            if kind == NUMBER:
                numbers = checked_numbers(block, source, faults)
                columns[kind + name] = numbers
                content.append(number_keys(numbers))
            else:
                texts = text_of(block.column(source))
                columns[kind + name] = texts
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
