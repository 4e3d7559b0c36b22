"""Which inputs belong together: explanations speak of groups, not of hundreds of columns."""

from __future__ import annotations

from model.snapshots.declarations import declared, declared_features, declared_of_pairs
from model.snapshots.features import SnapshotPlan
from model.snapshots.formulas import (
    Attribute,
    Bin,
    Declaration,
    DeviationLog,
    Difference,
    Formula,
    Histogram,
    Log,
    MeanLog,
    OfCutoff,
    One,
    Recent,
    Share,
    Since,
    Tally,
    Total,
)
from model.tasks import EntityKind

ATTRIBUTES = "attributes"
STATISTICS = "column_statistics"
CALENDAR = "calendar"
SEQUENCE = "last_events"
ITEM = "item_identity"
_SEASON_DAYS = 180
"""Windows that end so long ago are about the time of the year."""
_OF_MEASURE = {
    "units": "units",
    "value_cents": "money",
    "price_cents": "money",
    "priced_events": "money",
    "visits": "visits",
    "counterparts": "variety",
}
_OF_SCALAR = {
    "last_price_cents": "money",
    "least_price_cents": "money",
    "greatest_price_cents": "money",
    "last_units": "units",
    "greatest_units": "units",
}


def group_of(formula: Formula) -> str:
    """The group of one feature, by what its formula looks at first."""
    match formula:
        case Attribute():
            return ATTRIBUTES
        case OfCutoff():
            return CALENDAR
        case Share(histogram=Histogram(by="attribute")):
            return "affinities"
        case Share():
            return "seasonality"
        case Difference(left=left):
            return group_of(left)
        case Log(tally=tally) | MeanLog(of=tally) | DeviationLog(of=tally):
            return _of_tally(tally)


def _of_tally(tally: Tally) -> str:
    match tally:
        case Total(skip_days=skip_days) if skip_days > _SEASON_DAYS:
            return "seasonality"
        case Total(measure="events", event_type=event_type):
            return f"{event_type}_events"
        case Total(measure=measure):
            return _OF_MEASURE[measure]
        case Since():
            return "recency"
        case One(what=what):
            return _OF_SCALAR.get(what, "recency")
        case Bin():
            return "seasonality"
        case Recent():
            return "neighbours"


def numeric_groups(plan: SnapshotPlan, entity: EntityKind) -> tuple[str, ...]:
    """The group of each numeric column, in order; a pair's say whose they are."""
    match entity:
        case "user":
            groups = _groups(declared(plan.users))
        case "item":
            groups = _groups(declared(plan.items))
        case "pair":
            groups = (
                *(f"user_{group}" for group in _groups(declared(plan.users))),
                *(f"item_{group}" for group in _groups(declared(plan.items))),
                *(f"pair_{group}" for group in _groups(declared_of_pairs(plan.users))),
            )
    further = len(declared_features(plan, entity)) - len(groups)
    return (*groups, *(STATISTICS for _ in range(further)))


def category_groups(plan: SnapshotPlan, entity: EntityKind) -> tuple[str, ...]:
    """The group of each categorical column, in order."""
    prefixed = entity == "pair"
    sides = (("user", plan.users), ("item", plan.items))
    return tuple(
        f"{side}_{ATTRIBUTES}" if prefixed else ATTRIBUTES
        for side, of_side in sides
        if entity in {side, "pair"}
        for _ in of_side.categories
    )


def _groups(declarations: tuple[Declaration, ...]) -> tuple[str, ...]:
    return tuple(group_of(declaration.formula) for declaration in declarations)
