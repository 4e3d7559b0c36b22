from __future__ import annotations

from app.domain.asked_entities import AskedEntities
from app.domain.stored_predictions import Entity


def test_columns_are_walked_through_as_entities() -> None:
    users = AskedEntities(["u1", "u2"])
    pairs = AskedEntities(["u1", "u2"], ["i1", "i2"])
    assert len(users) == len(pairs) == 2
    assert list(users) == [Entity("u1"), Entity("u2")]
    assert list(pairs) == [Entity("u1", "i1"), Entity("u2", "i2")]
    assert pairs[1] == Entity("u2", "i2")


def test_a_lone_entity_is_a_pair_if_it_has_an_item() -> None:
    assert AskedEntities.alone(Entity("u1")) == AskedEntities(["u1"])
    assert AskedEntities.alone(Entity("u1", "i1")) == AskedEntities(["u1"], ["i1"])
