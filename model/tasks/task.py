"""What a user may ask: a task is an entity kind, a target and a horizon.

The labels of a task are derived from the log, see `model.snapshots.labels`.

>>> task = Task(
...     name="buys_30d",
...     entity="user",
...     target=Occurs(event_type="purchase"),
...     horizon_days=30,
... )
>>> task.target.kind
'occurs'
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

EntityKind = Literal["user", "item", "pair"]
PeriodName = Literal["month_of_year", "iso_week", "weekday", "hour"]

PERIODS: dict[PeriodName, int] = {"month_of_year": 12, "iso_week": 53, "weekday": 7, "hour": 24}
"""How many periods a cycle has."""

CYCLE_DAYS: dict[PeriodName, int] = {
    "month_of_year": 365,
    "iso_week": 365,
    "weekday": 7,
    "hour": 1,
}
"""How long a cycle lasts, in days."""

MAX_CONDITIONS = 20

EventTypeName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["purchase"])
]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


AttributeName = Annotated[
    str,
    Field(
        min_length=6,
        max_length=200,
        pattern=r"^(item|user|event)\.[^\x00]+$",
        examples=["item.category"],
    ),
]
"""An attribute of the item, of the user, or a further column of the event itself."""


class Condition(_Declared):
    """Only events whose attribute stands in this relation to a value count.

    A missing attribute fulfils no condition.
    """

    attribute: AttributeName
    op: Literal["==", "!=", "<", "<=", ">", ">=", "in"] = "=="
    value: float | str | tuple[float | str, ...] = Field(examples=["shoes"])

    @model_validator(mode="after")
    def _value_fits_op(self) -> Self:
        if (self.op == "in") != isinstance(self.value, tuple):
            raise ValueError(f"{self.op} takes {'a list' if self.op == 'in' else 'one value'}")
        if self.op in {"<", "<=", ">", ">="} and not isinstance(self.value, float):
            raise ValueError(f"{self.op} takes a number")
        return self


class _Counted(_Declared):
    """A target about events of one type, of which `where` may keep some."""

    event_type: EventTypeName
    where: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)


class Occurs(_Counted):
    """Does at least one event of this type happen within the horizon?"""

    kind: Literal["occurs"] = "occurs"


class Count(_Counted):
    """How many events, units (summed quantity) or active days there are within the horizon."""

    kind: Literal["count"] = "count"
    of: Literal["events", "units", "days"] = "events"


class Sum(_Counted):
    """The summed value of the events within the horizon; a negative total counts as zero."""

    kind: Literal["sum"] = "sum"


class PeakPeriod(_Counted):
    """In which period of the coming cycle, in the shop's time zone, most is sold."""

    kind: Literal["peak_period"] = "peak_period"
    period: PeriodName = "month_of_year"
    of: Literal["events", "units"] = "units"


class TimeTo(_Counted):
    """Days to the first event of this type, censored at the horizon."""

    kind: Literal["time_to"] = "time_to"


class Next(_Declared):
    """What the next event within the horizon will be: its type, or an attribute of it.

    Undefined for an entity that has no such event within the horizon.
    """

    kind: Literal["next"] = "next"
    of: Literal["event_type"] | AttributeName = Field(
        default="event_type", examples=["event_type", "item.category"]
    )
    event_type: EventTypeName | None = Field(
        default=None, description="look only at events of this type; left out: of any type"
    )
    where: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)


class Column(_Declared):
    """A further column of the event, e.g. a rating: a number or one of a few values.

    In a log without a time column a row is an event; else it is the first event within the horizon.
    """

    kind: Literal["column"] = "column"
    column: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] = Field(
        examples=["rating"]
    )
    event_type: EventTypeName | None = None
    where: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)


Target = Annotated[
    Occurs | Count | Sum | PeakPeriod | TimeTo | Next | Column, Field(discriminator="kind")
]

_ENTITIES_OF: dict[str, tuple[EntityKind, ...]] = {
    "occurs": ("user", "item", "pair"),
    "count": ("user", "item"),
    "sum": ("user", "item"),
    "peak_period": ("user", "item"),
    "time_to": ("user", "item", "pair"),
    "next": ("user", "item"),
    "column": ("user", "item", "pair"),
}
DEFAULT_COLUMN_DAYS = 30


class Eligibility(_Declared):
    """Who gets a row: an entity with so many events in the days *before* the cutoff."""

    within_days: int = Field(
        le=36_500, description="how far to look back; the future decides about nobody"
    )
    event_type: EventTypeName | None = Field(default=None, description="left out: of any type")
    at_least: int = Field(default=1, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _looks_back(self) -> Self:
        if self.within_days < 1:
            raise ValueError(
                f"within_days {self.within_days} looks into the label's window: eligibility is "
                "decided by the past alone, so give the days to look back as a number from 1"
            )
        return self


class TaskDeclaration(_Declared):
    """A task without its name, as it is sent to the service."""

    entity: EntityKind
    target: Target
    horizon_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        validate_default=True,
        description="how far the label looks ahead; left out for peak_period: one cycle",
    )
    start_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="the label's window begins so many days after the cutoff",
    )
    eligible: tuple[Eligibility, ...] = Field(
        default=(),
        max_length=10,
        description="who gets a row, by the past: every rule must hold; left out: who had any "
        "event within the lookback",
    )
    for_each: AttributeName | None = Field(
        default=None,
        description="declares one task for each value of a category: its name is this task's, two "
        "underscores and the value",
        examples=["item.category"],
    )
    weight: float = Field(default=1.0, gt=0, le=100, description="share of the training loss")

    @model_validator(mode="before")
    @classmethod
    def _cycle_is_the_horizon(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("horizon_days"):
            target = data.get("target")
            if isinstance(target, BaseModel):
                target = target.model_dump()
            if isinstance(target, dict) and target.get("kind") == "peak_period":
                period = target.get("period", "month_of_year")
                return {**data, "horizon_days": CYCLE_DAYS.get(period, 365)}
            if isinstance(target, dict) and target.get("kind") == "column":
                return {**data, "horizon_days": DEFAULT_COLUMN_DAYS}
        return data

    @model_validator(mode="after")
    def _target_fits_entity(self) -> Self:
        if self.for_each and len(self.target.where) == MAX_CONDITIONS:
            raise ValueError(
                f"for_each adds a condition to the {MAX_CONDITIONS} of where: leave out one"
            )
        allowed = _ENTITIES_OF[self.target.kind]
        if self.entity not in allowed:
            raise ValueError(
                f"a {self.target.kind} target is for {' or '.join(allowed)}, not {self.entity}"
            )
        if self.horizon_days < 1:
            raise ValueError(
                "horizon_days is required: how many days the label looks ahead, from 1"
            )
        if self.target.kind == "peak_period" and self.horizon_days < CYCLE_DAYS[self.target.period]:
            raise ValueError(
                f"horizon_days {self.horizon_days} is shorter than one cycle of "
                f"{self.target.period} ({CYCLE_DAYS[self.target.period]} days): leave it out"
            )
        return self

    @property
    def end_days(self) -> int:
        """How far after the cutoff the label's window ends."""
        return self.start_days + self.horizon_days


class Task(TaskDeclaration):
    """A named task.

    One of the tasks that a `for_each` stands for knows the name it was declared under and its
    value, which is the last condition of its target.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,119}$", examples=["buys_30d"])
    declared_as: str | None = None
    for_each_value: str | None = None

    @property
    def declaration(self) -> TaskDeclaration:
        """The same task without its name."""
        own = {"name", "declared_as", "for_each_value"}
        return TaskDeclaration.model_validate(self.model_dump(exclude=own))
