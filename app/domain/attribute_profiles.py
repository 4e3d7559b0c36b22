"""What the attributes of a dataset hold, from its manifest alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.db.tables import Part
from app.ingest.column_tally import MOST_VALUES
from model.events.attributes import AMOUNTS
from model.tasks import AttributeProfile, ColumnKind

_OWNERS = {"items": "item", "users": "user", "events": "event"}


def column_kinds(parts: Iterable[Part]) -> dict[str, ColumnKind]:
    """What the columns of one table hold; one that any part has dropped is gone."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for name, kind in part.columns.items():
            found.setdefault(name, set()).add(kind)
    return {
        name: "number" if kinds == {"number"} else "category"
        for name, kinds in sorted(found.items())
        if "dropped" not in kinds
    }


def attribute_profiles(parts: Sequence[Part]) -> dict[str, AttributeProfile]:
    """Everything that a condition may look at, by full name; amounts are in every dataset."""
    found: dict[str, AttributeProfile] = {}
    for table, owner in _OWNERS.items():
        own = [part for part in parts if part.table == table]
        for name, kind in column_kinds(own).items():
            # An attribute that is called like the id has another name in the log.
            plain = f"{name}_" if name == owner else name
            profile = AttributeProfile(kind) if kind == "number" else _category(name, own)
            found[f"{owner}.{plain}"] = profile
    return found | {f"event.{name}": AttributeProfile("number") for name in AMOUNTS}


def _category(name: str, parts: Iterable[Part]) -> AttributeProfile:
    lists = [part.values.get(name) for part in parts if name in part.columns]
    values = sorted({value for known in lists if known is not None for value in known})
    # In a part where all values were numbers they were not kept.
    has_more = len(values) > MOST_VALUES or None in lists
    return AttributeProfile("category", tuple(values[:MOST_VALUES]), has_more)
