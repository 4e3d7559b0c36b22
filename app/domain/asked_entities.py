"""Whom a question is about: many entities of one kind in columns, not as an object each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.domain.stored_predictions import Entity


@dataclass(frozen=True)
class AskedEntities:
    """Entities of one kind, in the order of the answers.

    Attributes:
        ids: of users or items; the users of pairs.
        item_ids: the items of pairs, else None.
    """

    ids: list[str]
    item_ids: list[str] | None = None

    @classmethod
    def of(cls, entities: Sequence[Entity]) -> AskedEntities:
        """Some entities of one kind; pairs have an item each."""
        items = [entity.item_id for entity in entities]
        return cls([entity.entity_id for entity in entities], items if all(items) else None)

    @classmethod
    def alone(cls, entity: Entity) -> AskedEntities:
        """One entity."""
        return cls.of([entity])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> Entity:
        return Entity(self.ids[place], "" if self.item_ids is None else self.item_ids[place])

    def __iter__(self) -> Iterator[Entity]:
        return map(self.__getitem__, range(len(self)))
